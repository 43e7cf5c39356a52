"""Every target by name."""

from __future__ import annotations

from tests.fuzz import files, runs, texts
from tests.fuzz.engine import Target

TARGETS: dict[str, Target] = {target.name: target for target in (*texts.TARGETS, *files.TARGETS, *runs.TARGETS)}
