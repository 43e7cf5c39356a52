"""Locks on files: one process at a time writes a run. The system lets go of a lock, however its process ends."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: nothing is locked
    fcntl = None  # type: ignore[assignment]

from ganzoo.errors import Problem, UserError
from ganzoo.store.files import cannot_write

WRITER = ".writer"  # in a run's folder; says which process writes there
_held: dict[Path, BinaryIO] = {}  # by folder: what this process writes


@contextmanager
def held(path: Path) -> Iterator[BinaryIO | None]:
    """The file at `path`, locked for this process alone inside the block; None if another process has it.

    Raises:
        OSError: it cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a+b", buffering=0) as file:
            if not _lock(file):
                yield None
                return
            if _is(path, file):  # and not one that its last holder deleted
                yield file
                return


def _lock(file: BinaryIO) -> bool:
    """Whether this process has the lock now. Where the system or the file system has none, nothing is locked."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def _is(path: Path, file: BinaryIO) -> bool:
    """Whether an open file still lies at its path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Inside the block this process alone writes a run's folder.

    What a killed process left behind is taken over: its lock went with it.

    Raises:
        UserError: another process writes there; the message names it and its host.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(held(folder / WRITER))
            if file is None:
                raise UserError(_taken(folder))
            stack.callback(_forget, folder / WRITER)
            file.truncate(0)
            file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
            _held[folder] = file
            stack.callback(_held.pop, folder)
        except OSError as error:
            raise cannot_write(folder, error) from error
        yield


def check_held(folder: Path) -> None:
    """Refuse to go on in a folder that this process began to write, and that is another one by now.

    Raises:
        UserError: it was deleted or moved, so what was in it is not there any more.
    """
    if (file := _held.get(folder)) is not None and not _is(folder / WRITER, file):
        raise UserError(
            Problem(f"{folder} was deleted or moved while it was written", hint="start again, or resume the moved one")
        )


def _forget(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def check_free(folder: Path) -> None:
    """Refuse a folder that another process writes at this moment.

    Raises:
        UserError: one does.
    """
    if (folder / WRITER).is_file():
        with held(folder / WRITER) as file:
            if file is None:
                raise UserError(_taken(folder))


def _taken(folder: Path) -> Problem:
    try:
        writer = json.loads((folder / WRITER).read_bytes())
        who = f"process {writer['pid']} on {writer['host']}"
    except (OSError, ValueError, KeyError):
        who = "another process"
    return Problem(f"{who} is writing to {folder}", hint="wait for it or stop it, or give the new run another folder")
