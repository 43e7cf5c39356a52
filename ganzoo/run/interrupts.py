"""Ctrl-C and polite kills: training ends after a whole step, on all processes after the same one."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ganzoo.parallel import distributed


class Interrupts:
    """Whether somebody asked training to stop.

    `interval` is the number of steps between looks at whether any other process was asked, about a second.
    """

    def __init__(self) -> None:
        self.requested = False
        self.requested_at = 0.0
        self.interval = 1

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Inside the block Ctrl-C, or a polite kill, asks for a stop; a second Ctrl-C stops at once.

        With several processes the handlers stay: when one of them fails, torchrun politely kills the others, which may
        still have something to say or to write.
        """
        several = distributed.world() > 1

        def handle(number: int, frame: Any) -> None:
            again = time.monotonic() < self.requested_at + 3  # a Ctrl-C may come twice: torchrun passes it on
            if self.requested and not (several and (number == signal.SIGTERM or again)):
                raise KeyboardInterrupt
            self.requested_at, self.requested = time.monotonic(), True
            if not several:
                print("stopping after this step; once more to stop at once", file=sys.stderr)

        try:
            before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: somebody else handles signals
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items() if not several else ():
                signal.signal(number, handler)

    def stop(self, step: int) -> bool:
        """Whether to stop after this step, the same answer on all processes."""
        if distributed.world() == 1:
            return self.requested
        return step % self.interval == 0 and distributed.agree(self.requested)
