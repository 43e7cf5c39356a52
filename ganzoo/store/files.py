"""Files written whole or not at all, configs as YAML, numbers as JSON lines."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from ganzoo.config.yaml12 import RESOLVERS
from ganzoo.errors import NoSpace, Problem, UserError

_UNPACKED, _RATIO = 256 << 20, 100  # an archive may have as many bytes unpacked, or as many times its own size
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _File(io.FileIO):
    """A file that remembers why a write failed, whatever the library that called it makes of the error.

    It shows no descriptor, through which NumPy and Pillow would write behind its back and lose the reason.
    """

    failed: OSError | None = None
    wanted = 0  # bytes, with those that could not be written

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failed, self.wanted = error, self.tell() + memoryview(data).nbytes
            raise

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")

    def sync(self) -> None:
        """Wait until the disk has it."""
        try:
            os.fsync(super().fileno())
        except OSError as error:
            self.failed = error
            raise


@contextmanager
def atomic(path: Path, size: int = 0) -> Iterator[BinaryIO]:
    """A file to write so that a reader, or a crash, sees the old content or the new one and nothing between.

    Args:
        path: The file.
        size: Bytes that it will have at least, if that is known, for the message where they do not fit.

    Raises:
        NoSpace: the disk is full.
        UserError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    raw: _File | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = _File(temporary, "wb")
        with io.BufferedWriter(raw) as file:
            yield file
            size = max(size, file.tell())
            file.flush()
            raw.sync()
        os.replace(temporary, path)
    except Exception as error:
        failed = raw.failed if raw is not None and raw.failed else error if isinstance(error, OSError) else None
        if failed is None:
            raise
        with suppress(OSError):
            size = max(size, raw.wanted if raw is not None else 0)
            temporary.unlink()  # what is free is told without it
        raise cannot_write(path, failed, size) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def append(path: Path, text: str) -> None:
    """Add lines to a text file; where they do not fit, the file is as it was, or still not there.

    A line that was left half written, by a process that was killed, is ended first, so that it takes no other with it.

    Raises:
        NoSpace: the disk is full.
        UserError: it cannot be written.
    """
    data, before, new = text.encode(), None, not path.exists()
    try:
        with path.open("ab+", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            if before and os.pread(file.fileno(), 1, before - 1) != b"\n":
                data = b"\n" + data
            written = 0
            while written < len(data):
                written += file.write(data[written:])
    except OSError as error:
        with suppress(OSError):
            if new:
                path.unlink()
            elif before is not None:
                os.truncate(path, before)
        raise cannot_write(path, error, len(data)) from error


def cannot_write(path: Path, error: OSError, size: int = 0, hint: str = "") -> UserError:
    """Why a file or a folder cannot be written; where the disk is full, how much it needs and how much is free.

    Args:
        path: The file or folder.
        error: What the system says.
        size: Bytes that were to be written, as far as they are known.
        hint: What else one can do.
    """
    if error.errno not in _FULL:
        return UserError(Problem(f"{path} cannot be written: {error.strerror or error}", hint=hint))
    message = f"{path} cannot be written: the disk is full"
    with suppress(OSError, StopIteration):
        free = shutil.disk_usage(next(parent for parent in path.parents if parent.is_dir())).free
        message += f" (it needs {_bytes(size)} or more, {_bytes(free)} are free)"
    return NoSpace(
        Problem(message, hint="make room, or " + hint if hint else "make room; what was there before is kept")
    )


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def write_atomic(path: Path, text: str) -> None:
    """Write a whole text file at once."""
    with atomic(path) as file:
        file.write(text.encode())


def check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive that is there to fill the memory: it would unpack to far more than it has.

    Raises:
        UserError: it would.
    """
    whole, size = sum(member.file_size for member in archive.infolist()), path.stat().st_size
    if whole > _UNPACKED and whole > _RATIO * size:
        raise UserError(f"{path} has {_bytes(size)} and would unpack to {_bytes(whole)}, which no file of weights does")


def from_json(text: str | bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is none, or nested so deeply that nobody reads it.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON of every line that is a mapping; one that a crash cut short, or another program wrote, is left out."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else ():
        with suppress(ValueError):
            record = from_json(line)
            if isinstance(record, dict):
                found.append(record)
    return found


def dump_yaml(content: Mapping[str, Any]) -> str:
    """A config as YAML that reads back equal."""
    return yaml.dump(_plain(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes what the reader would otherwise take for something else than text."""

    yaml_implicit_resolvers = RESOLVERS


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    return value
