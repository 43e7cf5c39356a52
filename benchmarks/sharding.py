"""What one of several processes holds of a part with ``shard: true``, and of the same part without.

``torchrun --standalone --nproc-per-node 2 -m benchmarks.sharding`` trains a generator of some million parameters for
three steps, first as it is and then sharded, and prints the megabytes that the first process keeps between the steps:
weights, gradients, optimizer states and averaged weights; and the highest use of memory during the steps. On CPUs that
is what the process has resident beyond what it had before, to be read with care; on GPUs what torch allocated.
"""

from __future__ import annotations

import argparse
import gc
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from ganzoo import api
from ganzoo.parallel import distributed, shards
from ganzoo.train.loop import Trainer


def megabytes(tensors: Iterable[Tensor | None]) -> float:
    return sum(shards.local(t).nbytes for t in tensors if t is not None) / 1e6


def resident() -> float:
    """Megabytes of this process, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


class Peak:
    """The most that is resident inside a block."""

    def __enter__(self) -> Peak:
        self.before = self.most = resident()
        self.over = False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.over:
            self.most = max(self.most, resident())
            time.sleep(0.002)

    def __exit__(self, *error: object) -> None:
        self.over = True
        self.thread.join()


def measure(width: int, layers: int, sharded: bool, device: torch.device) -> dict[str, float]:
    model = api.Model(
        {
            "extends": "base/unconditional.yaml",
            "data": {"use": "data.random", "count": 64, "fields": {"real": {"kind": "image", "shape": [1, 16, 16]}}},
            "parts": {
                "Z": {"use": "prior.normal", "size": 64},
                "G": {"use": "generator.mlp", "hidden": [width] * layers, "shard": sharded},
                "D": {"use": "discriminator.mlp", "hidden": [64]},
                "adv": "adversarial.hinge",
            },
            "players": {"D": {}, "G": {"ema": 0.99}},
            "train": {"precision": "fp32", "batch": 8, "steps": 3},
        }
    )
    gc.collect()
    with Peak() as peak:
        trainer = Trainer(model.blueprint, device)
        while trainer.advance():
            pass
    state = trainer.players["G"]
    kept = state.optimizer.state_dict()["state"].values()
    found = {
        "parameters": float(sum(p.numel() for p in state.own)),
        "weights": megabytes(state.own),
        "gradients": megabytes(p.grad for p in state.own),
        "optimizer": megabytes(tensor for entry in kept for tensor in entry.values()),
        "averages": megabytes(trainer.averages()["G"].parameters()),
        "highest": peak.most - peak.before,
    }
    if device.type == "cuda":
        found["highest"] = torch.cuda.max_memory_allocated(device) / 1e6
        torch.cuda.reset_peak_memory_stats(device)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--layers", type=int, default=5)
    options = parser.parse_args()
    device = distributed.start()
    for sharded in (False, True):
        found = measure(options.width, options.layers, sharded, device)
        if distributed.rank() == 0:
            numbers = ", ".join(f"{name} {value:,.1f}" for name, value in found.items())
            print(f"{'sharded' if sharded else 'whole'}: {numbers}", flush=True)
    distributed.stop()


if __name__ == "__main__":
    main()
