"""Fuzzing of everything that ganzoo reads: ``python -m tests.fuzz TARGET --minutes M`` (see ``docs/security.md``)."""
