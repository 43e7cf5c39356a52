"""Files written whole or not at all, also where the disk is full."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ganzoo.errors import NoSpace, UserError
from ganzoo.store import checkpoint, files

FULL = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
"""


def test_a_checkpoint_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    """By a limit on the size of files, which torch reports as an error of its archive."""
    path = tmp_path / "step_00000001.pt"
    checkpoint.save(path, {}, {"step": 1, "parts": {}})
    before = path.read_bytes()
    code = (
        FULL
        + f"""
import torch
from ganzoo.errors import NoSpace
from ganzoo.store import checkpoint
try:
    checkpoint.save(Path({str(path)!r}), {{}}, {{"step": 1, "parts": {{"G": torch.zeros(100_000)}}}})
except NoSpace as error:
    print(error)
"""
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{path} cannot be written: the disk is full (it needs 40" in done.stdout, done.stderr
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_lines_that_do_not_fit_are_not_left_half_written(tmp_path: Path) -> None:
    path, new = tmp_path / "metrics.jsonl", tmp_path / "ledger.jsonl"
    files.append(path, "{}\n")
    code = (
        FULL
        + f"""
from ganzoo.errors import NoSpace
from ganzoo.store import files
for name in ({str(path)!r}, {str(new)!r}):
    try:
        files.append(Path(name), "x" * 300_000)
    except NoSpace as error:
        print(error)
"""
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{path} cannot be written: the disk is full (it needs 300 kB or more, " in done.stdout, done.stderr
    assert path.read_text() == "{}\n" and not new.exists()


def test_a_line_that_was_left_half_written_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"n": 1}\n{"n": ')
    files.append(path, '{"n": 2}\n')
    files.append(path, '{"n": 3}\n')
    assert [line["n"] for line in files.read_lines(path)] == [1, 2, 3]


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, NoSpace), (errno.EACCES, UserError)])
def test_why_a_file_cannot_be_written(number: int, kind: type, tmp_path: Path) -> None:
    error = files.cannot_write(tmp_path / "a", OSError(number, os.strerror(number)))
    assert type(error) is kind and str(tmp_path / "a") in str(error)


def test_an_error_of_the_writer_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.atomic(tmp_path / "a") as file:
        file.write(b"some")
        1 / 0  # noqa: B018
    assert not list(tmp_path.iterdir())


def test_bytes_of_a_state() -> None:
    assert checkpoint._bytes({"a": [torch.zeros(3), {"b": torch.zeros(2, dtype=torch.float64)}], "c": 1}) == 28
