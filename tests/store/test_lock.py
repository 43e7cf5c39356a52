"""One process at a time writes a run's folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import lock
from ganzoo.store.folder import RunFolder
from tests.zoo import written

HOLD = """
import sys, time
from pathlib import Path
from ganzoo.store import lock
with lock.writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
MODEL = "extends: gan/circle\ntrain: {steps: 4, log_every: 2, checkpoint_every: 2, sample_every: 4}\n"


@pytest.fixture
def holder(tmp_path: Path):
    """A process that writes to ``run``."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_folder_that_is_written_is_refused_until_its_writer_is_gone(tmp_path: Path, holder) -> None:
    message = f"process {holder.pid} on {socket.gethostname()} is writing to {tmp_path / 'run'}"
    for attempt in (lambda: lock.check_free(tmp_path / "run"), lambda: RunFolder(tmp_path / "run").check_free()):
        with pytest.raises(UserError, match=message):
            attempt()
    with pytest.raises(UserError, match=message), lock.writing(tmp_path / "run"):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with lock.writing(tmp_path / "run"), pytest.raises(UserError, match=f"process {os.getpid()} on"):
        lock.check_free(tmp_path / "run")
    lock.check_free(tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def test_training_and_going_on_hold_the_folder(tmp_path: Path, monkeypatch) -> None:
    blueprint = written(tmp_path, MODEL).blueprint
    folder, reason = train(blueprint, tmp_path / "run", plugins.installed(), quiet=True)
    assert reason == "finished"
    with lock.writing(folder.path), pytest.raises(UserError, match="is writing to"):
        resume(folder.path, plugins.installed(), steps=6, quiet=True)
    with lock.writing(tmp_path / "new"), pytest.raises(UserError, match="is writing to"):
        train(blueprint, tmp_path / "new", plugins.installed(), quiet=True)
    assert not list((tmp_path / "new").iterdir()), "nothing is left of a refused training"
    resume(folder.path, plugins.installed(), steps=6, quiet=True)


def test_a_folder_that_was_deleted_or_replaced_while_it_is_written_is_noticed(tmp_path: Path) -> None:
    with lock.writing(tmp_path / "run"):
        lock.check_held(tmp_path / "run")
        (tmp_path / "run").rename(tmp_path / "moved")
        with pytest.raises(UserError, match="was deleted or moved while it was written"):
            lock.check_held(tmp_path / "run")
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / lock.WRITER).touch()
        with pytest.raises(UserError, match="was deleted or moved while it was written"):
            lock.check_held(tmp_path / "run")
    lock.check_held(tmp_path / "run")


def test_what_a_first_write_that_was_killed_left_takes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.yaml.1.tmp").touch()
    (tmp_path / "run" / lock.WRITER).touch()
    folder, reason = train(written(tmp_path, MODEL).blueprint, tmp_path / "run", plugins.installed(), quiet=True)
    assert reason == "finished" and not list(folder.path.rglob(".*"))
