"""Faults: every write of a run is hit by a kill, a full disk, a read-only folder, and what else happens to machines.

``python -m tests.faults --hits 500 --out FOLDER`` runs a campaign, and ``python -m tests.faults.soak`` a long training.
"""
