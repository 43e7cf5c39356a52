"""``python -m tests.faults --hits N --out FOLDER``: a campaign of faults; exit code 1 if anything was lost."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # a process that is forked has no threads but its own


def main() -> None:
    from tests.faults import campaign, trace
    from tests.faults.jobs import JOBS

    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--hits", type=int, default=500)
    parser.add_argument("--out", type=Path, required=True, help="a folder; what was lost is kept there")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", nargs="*", default=[job.name for job in JOBS], choices=[job.name for job in JOBS])
    given = parser.parse_args()
    if not trace.AVAILABLE:
        sys.exit("system calls are only hit on Linux on x86-64, where ptrace is allowed")
    import torch

    torch.set_num_threads(1)
    found = campaign.campaign(given.out, given.hits, given.seed, [job for job in JOBS if job.name in given.jobs])
    print(campaign.table(found))
    sys.exit(any(hit["lost"] for hit in found))


if __name__ == "__main__":
    main()
