"""``python -m tests.faults.soak --out FOLDER``: a long training, and whether it grows or slows down. Linux.

A run of 100,000 steps tells its memory, descriptors, threads and CPU time at every log. Since the speed of a machine
that others share drifts over an hour, the long run is at its end also compared with one that is new: both go on in
turns, 250 steps each, and the ratio is that of their medians of CPU time a step.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from ganzoo.registry.hookspecs import hookimpl

SMALL = {"parts.G.hidden": [8], "parts.D.hidden": [8], "train.batch": 8, "share": ["fake"]}
MODELS: dict[str, dict[str, Any]] = {
    "gan/circle": SMALL,
    "wgan_gp/ring": {**SMALL, "players.D.repeat": 1},
    "gan/fashion_mnist_sample": SMALL,
}
EACH, WARM, TURNS = 250, 5000, 20  # steps between logs; of the beginning that count for nothing; turns at the end


def now() -> dict[str, float]:
    """Resident memory in MB, open descriptors, threads, CPU seconds so far."""
    spent = time.process_time()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "cpu": spent,
    }


class Watched:
    """A run hook that notes at every log what the process holds, and from a step on waits for its turn."""

    def __init__(self, notes: Path, turn: Connection, waits_from: int):
        self.notes, self.turn, self.waits_from = notes, turn, waits_from
        self.begun = time.process_time()

    @hookimpl
    def on_step(self, step: int, values: Mapping[str, float]) -> None:
        if step < self.waits_from:
            with self.notes.open("a") as file:
                file.write(json.dumps({"step": step, **now(), "begun": self.begun}) + "\n")
        else:
            self.turn.send(time.process_time() - self.begun)
            self.turn.recv()
        self.begun = time.process_time()


def trained(name: str, folder: Path, steps: int, turn: Connection) -> None:
    """Train a model for `steps`, then as many turns as are asked for."""
    import torch

    from ganzoo import api

    torch.set_num_threads(1)
    registry = api.registry()
    model = api.Model(name, {**MODELS[name], **often(steps)}, registry)
    registry.modules.append(Watched(folder.with_suffix(".jsonl"), turn, steps))
    model.run(folder, quiet=True)


def often(steps: int) -> dict[str, Any]:
    """How long, and that what a run does between its steps happens many times, twice while it warms up."""
    return {
        "train.checkpoint_every": WARM // 2,
        "train.sample_every": WARM // 2,
        "train.log_every": EACH,
        "train.steps": steps + (TURNS + 2) * EACH,
        "evaluate": None,
        "plugins.tensorboard": False,
    }


def soak(name: str, out: Path, steps: int) -> dict[str, Any]:
    """What became of one model."""
    context = multiprocessing.get_context("spawn")

    def started(label: str, steps: int) -> tuple[Any, Connection]:
        mine, theirs = context.Pipe()
        folder = out / f"{name.replace('/', '-')}-{label}"
        process = context.Process(target=trained, args=(name, folder, steps, theirs))
        process.start()
        theirs.close()
        return process, mine

    old, old_turn = started("long", steps)
    old_turn.recv()
    new, new_turn = started("new", WARM)
    new_turn.recv()
    spent: dict[str, list[float]] = {"old": [], "new": []}
    for number in range(TURNS):
        order = [("old", old_turn), ("new", new_turn)]
        for label, turn in order if number % 2 else reversed(order):
            turn.send(None)
            spent[label].append(turn.recv() / EACH)
    for process in (old, new):
        process.kill()
        process.join()
    text = (out / f"{name.replace('/', '-')}-long.jsonl").read_text()
    return told(name, [json.loads(line) for line in text.splitlines()], spent)


def told(name: str, notes: list[dict[str, float]], spent: dict[str, list[float]]) -> dict[str, Any]:
    """The figures: at the first log after warming up, and at the last."""
    warm = [note for note in notes if note["step"] > WARM]
    first, last = warm[0], warm[-1]
    found: dict[str, Any] = {"model": name, "steps": int(last["step"])}
    for key in ("memory", "descriptors", "threads"):
        found[key] = [first[key], last[key]]
    found["memory, at every tenth"] = [round(note["memory"], 1) for note in warm[:: max(len(warm) // 10, 1)]]
    each = [1000 * (note["cpu"] - note["begun"]) / EACH for note in warm]
    tenth = max(len(each) // 10, 1)
    found["ms a step, first and last tenth"] = [median(each[:tenth]), median(each[-tenth:])]
    found["ms a step, spread"] = quantiles(each, n=10)[::8] if len(each) > 9 else [min(each), max(each)]
    ratios = [a / b for a, b in zip(spent["old"], spent["new"], strict=True)]
    found["old to new, in turns"] = median(ratios)
    found["old to new, spread"] = quantiles(ratios, n=4)[::2]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs and soak.jsonl")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.models:
        found = soak(name, given.out, given.steps)
        print(json.dumps(found), flush=True)
        with (given.out / "soak.jsonl").open("a") as file:
            file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
