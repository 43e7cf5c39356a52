"""What follows a run for TensorBoard."""

from __future__ import annotations

import threading

import pytest

import ganzoo_tensorboard


@pytest.mark.parametrize(("name", "lines"), [("_AsyncWriterThread", 0), ("Other", 1)])
def test_the_thread_that_writes_hands_its_error_on_without_a_traceback(
    name: str, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: threading.Thread) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(threading, "excepthook", ganzoo_tensorboard._hand_on)
    thread = type(name, (threading.Thread,), {"run": fail})()
    thread.start()
    thread.join()
    assert capsys.readouterr().err.count("No space left on device") == lines
