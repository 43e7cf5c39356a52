"""Runs of several processes with gloo, started by torchrun, and what they leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from ganzoo.store import checkpoint

TIMED = ("seconds", "samples_per_second")


def launch(folder: Path, processes: int, *command: str, fails: bool = False, **more: str) -> Any:
    """Run ganzoo with `processes` processes, and with `more` in their environment."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    if processes == 1:
        run = [sys.executable]
    done = subprocess.run(
        [*run, "-m", "ganzoo", *command],
        cwd=folder,
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done


def state(run: Path) -> dict[str, torch.Tensor]:
    """Every tensor of the last checkpoint's parts and averages."""
    stored = checkpoint.load(checkpoint.locate(run)).state
    averages = stored["players"]["G"]["ema"]["parts"]
    return {
        f"{kind}.{part}.{key}": value
        for kind, parts in (("live", stored["parts"]), ("average", averages))
        for part, tensors in parts.items()
        for key, value in tensors.items()
    }


def numbers(run: Path) -> list[dict[str, Any]]:
    """What was logged, but for the times."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in record.items() if key not in TIMED} for record in records]
