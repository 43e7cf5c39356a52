"""What may become of an input: a result, or a message. Everything else is a finding."""

from __future__ import annotations

import re
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ganzoo
from ganzoo.config.expression import ExpressionError
from ganzoo.errors import Problem, UserError

Case = str | bytes | tuple[str, ...]
SECONDS = 2.0  # of processor time that one input may take
MEMORY = 1 << 30  # bytes that one input may take
LONGEST = 2000  # characters of a message
ROOTS = (Path(ganzoo.__file__).parent, Path(ganzoo.__file__).parents[1] / "plugins")


class Slow(BaseException):
    """An input took too long. No ``except Exception`` of the code under test catches it."""


@dataclass(frozen=True)
class Finding:
    """What went wrong, where in ganzoo, and the whole traceback; `place` tells findings apart."""

    kind: str
    place: str
    detail: str

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.place


_begun: float | None = None  # processor time at which what is judged began


def _tick(*_: Any) -> None:
    if _begun is not None and time.process_time() - _begun > SECONDS:
        raise Slow


@contextmanager
def listening() -> Iterator[None]:
    """Inside, :func:`judge` stops what takes too long: a clock ticks. Source: setitimer(2), ITIMER_PROF."""
    before = signal.signal(signal.SIGPROF, _tick)
    signal.setitimer(signal.ITIMER_PROF, SECONDS / 8, SECONDS / 8)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def judge(run: Callable[[Any], object], case: Case) -> tuple[bool, Finding | None]:
    """Whether the input was accepted, and what is wrong with what became of it."""
    global _begun
    try:
        _begun = time.process_time()
        try:
            run(case)
        finally:
            _begun = None
        return True, None
    except (UserError, ExpressionError) as error:
        if wrong := complaint(error, case):
            return False, Finding(f"message: {wrong}", _place(error), "".join(traceback.format_exception(error)))
        return False, None
    except Slow as error:
        return False, Finding("slow", _place(error), "".join(traceback.format_exception(error)[-12:]))
    except Exception as error:
        return False, Finding(type(error).__name__, _place(error), "".join(traceback.format_exception(error)))


def weighed(run: Callable[[Any], object], case: Case, ceiling: int | None = None) -> tuple[bool, Finding | None]:
    """The same, with the memory looked at: no more than `ceiling` may have been taken; by default 1 GB more."""
    before = peak()
    accepted, finding = judge(run, case)
    if finding is None and peak() > (before + MEMORY if ceiling is None else ceiling):
        finding = Finding("memory", "", f"{(peak() - before) >> 20} MB")
    return accepted, finding


def peak() -> int:
    """The most memory that this process has had, in bytes. Source: getrusage(2); Linux counts in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def complaint(error: UserError | ExpressionError, case: Case) -> str:
    """What is wrong with a message, or an empty string. A good one is a line for each problem and names its cause."""
    if isinstance(error, ExpressionError):
        problems = [Problem(str(error), path="an equation", hint=error.hint)]
    else:
        problems = error.problems
    if not problems:
        return "empty"
    for problem in problems:
        text = str(problem)
        if not problem.message.strip():
            return "empty"
        if not text.isprintable():
            return "not one printable paragraph"
        if len(text) > LONGEST:
            return "too long"
        if not (problem.origin or problem.path) and not _names(text, case):
            return "names nothing of the input"
    return ""


def _names(message: str, case: Case) -> bool:
    """Whether a message without a place speaks of a file, or quotes something."""
    return bool(re.search(r"/|`[^`]+`|'.*'|\w\.\w", message)) or (isinstance(case, str) and message in case)


def _place(error: BaseException) -> str:
    """The innermost line of ganzoo, or of a plugin, in a traceback."""
    found = "outside"
    for frame in traceback.extract_tb(error.__traceback__):
        for root in ROOTS:
            if Path(frame.filename).is_relative_to(root):
                found = f"{Path(frame.filename).relative_to(root.parent)}:{frame.lineno}"
    return found
