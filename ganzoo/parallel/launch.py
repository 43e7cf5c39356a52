"""Which of the processes that ``torchrun`` started this one is, by the environment, before any of them is joined."""

from __future__ import annotations

import os
import shlex


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", "0")) if world() > 1 else 0


def world() -> int:
    """The number of processes that were started together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def restarts() -> tuple[int, int]:
    """How often torchrun has started the processes again, and how often it may (``--max-restarts``)."""
    count, most = (int(os.environ.get(f"TORCHELASTIC_{key}", "0")) for key in ("RESTART_COUNT", "MAX_RESTARTS"))
    return count, most


def named() -> str:
    """How messages call this process: ``process 1 of 2``."""
    return f"process {rank()} of {world()}"


def command(*words: object) -> str:
    """The shell command that runs ganzoo as it was started here: ``torchrun --nproc-per-node 2 -m ganzoo …``."""
    start = "ganzoo"
    if world() > 1:
        nodes = os.environ.get("GROUP_WORLD_SIZE", "1")
        more = f"--nnodes {nodes} --rdzv-backend c10d --rdzv-endpoint HOST:PORT " if nodes != "1" else ""
        start = f"torchrun {more}--nproc-per-node {os.environ.get('LOCAL_WORLD_SIZE', world())} -m ganzoo"
    return f"{start} {shlex.join(map(str, words))}"
