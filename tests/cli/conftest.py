"""One command in an empty folder, and a small run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ganzoo.cli import main

SMALL = ["train.steps=3", "train.batch=8", "plugins.tensorboard=false", "show.n=10", "parts.G.hidden=[8]"]


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def ganzoo(monkeypatch, capsys, tmp_path) -> Callable[..., Result]:
    """Run one command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["ganzoo", *words])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        code = left.value.code
        return Result(code if isinstance(code, int) else int(bool(code)), captured.out, captured.err)

    return run


@pytest.fixture
def run_folder(ganzoo) -> str:
    assert ganzoo("train", "gan/circle", *SMALL, "--out", "run", "--quiet").code == 0
    return "run"
