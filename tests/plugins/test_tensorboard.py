"""What follows a run for TensorBoard."""

from __future__ import annotations

import threading

import ganzoo_tensorboard
import pytest


@pytest.mark.parametrize(("name", "shown"), [("_AsyncWriterThread", False), ("Other", True)])
def test_the_thread_that_writes_hands_its_error_on_without_a_traceback(
    name: str, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: threading.Thread) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(threading, "excepthook", ganzoo_tensorboard._hand_on)
    thread = type(name, (threading.Thread,), {"run": fail})()
    thread.start()
    thread.join()
    assert ("OSError: [Errno 28] No space left on device" in capsys.readouterr().err) is shown
