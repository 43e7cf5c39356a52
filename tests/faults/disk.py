"""``python -m tests.faults.disk --out FOLDER``: a run on a disk that is really full, of every size up to what it needs.

The disk is a tmpfs in a namespace of its own, so neither root nor an image of a disk is needed. A run that does not fit
has to say so; it is then given room, goes on, and has to equal the run that had room from the beginning.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
INSIDE = "GANZOO_FAULTS_INSIDE"


def small(root: Path, kilobytes: int, again: bool = False) -> None:
    """Give ``root/small`` a disk of so many kB, or another size to the one it has."""
    options = f"{'remount,' if again else ''}size={kilobytes}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(root / "small")], check=True)


def sizes(out: Path, step: int, largest: int) -> tuple[int, list[str]]:
    """How many sizes did not suffice, and what was lost at any."""
    from tests.faults.campaign import warm
    from tests.faults.jobs import Job, images, same_runs
    from tests.faults.trace import run

    job = Job("train", "train ROOT/model.yaml --out ROOT/small/run --quiet", "small/run", True)
    warm([job], out)
    gc.freeze()
    root, straight, full, lost = out / "work", out / "straight", 0, []
    images(root)
    (root / "small").mkdir()
    run(job.work(root), root)
    shutil.move(root / "small", straight)
    for kilobytes in range(4, largest, step):
        shutil.rmtree(root / "cache", ignore_errors=True)
        (root / "small").mkdir()
        small(root, kilobytes)
        found = run(job.work(root), root)
        if fits := found.code == 0:
            wrong = ""
        elif found.code != 2 or found.said.count("the disk is full") != 1 or "Traceback" in found.said:
            wrong = f"it ended with {found.code}: {found.said[-500:]}"
        else:
            full += 1
            small(root, 100_000, again=True)
            again = job.again(root)
            wrong = again.said[-500:] if again.code else same_runs(root / job.target, straight / "run")
        if wrong:
            lost.append(f"{kilobytes} kB: {wrong}")
        subprocess.run(["umount", str(root / "small")], check=True)
        (root / "small").rmdir()
        if fits:
            break
    return full, lost


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.disk", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a folder that is free")
    parser.add_argument("--step", type=int, default=4, help="kB between sizes")
    parser.add_argument("--largest", type=int, default=2000, help="kB")
    given = parser.parse_args()
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        words = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "tests.faults.disk"]
        os.execvp("unshare", [*words, *sys.argv[1:]])
    import torch

    torch.set_num_threads(1)
    given.out.mkdir(parents=True)
    full, lost = sizes(given.out.resolve(), given.step, given.largest)
    print(f"{full} sizes did not suffice, {len(lost)} lost", *lost, sep="\n")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
