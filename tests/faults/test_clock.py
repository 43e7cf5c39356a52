"""A clock that jumps, forward and back, changes no bit of a run but the times in its log."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import checkpoint
from ganzoo.store.folder import RunFolder
from tests.faults.jobs import equal, untimed
from tests.zoo import small

NAME = "gan/fashion_mnist_sample"
SETTINGS = {"train.checkpoint_every": 2, "train.log_every": 1, "train.sample_every": 2}


def jumping(clock):
    """A clock that is a century ahead or behind at every other look."""
    jumps = itertools.cycle((0.0, 3e9, -3e9, 5.0, -5.0))
    return lambda: clock() + next(jumps)


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(small(NAME, 6, **SETTINGS).blueprint, tmp_path / "straight", plugins.installed(), quiet=True)
    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, jumping(getattr(time, name)))
    train(small(NAME, 4, **SETTINGS).blueprint, tmp_path / "jumps", plugins.installed(), quiet=True)
    resume(tmp_path / "jumps", plugins.installed(), steps=6, quiet=True)
    straight, jumps = tmp_path / "straight", tmp_path / "jumps"
    a, b = (checkpoint.load(checkpoint.locate(run)) for run in (straight, jumps))
    assert equal(a.state, b.state)
    assert untimed(RunFolder(straight).records()) == untimed(RunFolder(jumps).records())
