"""Files written whole or not at all, configs as YAML, numbers as JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from ganzoo.config.yaml12 import RESOLVERS
from ganzoo.errors import UserError


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write so that a reader, or a crash, sees the old content or the new one and nothing between.

    Raises:
        UserError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomic(path: Path, text: str) -> None:
    """Write a whole text file at once."""
    with atomic(path) as file:
        file.write(text.encode())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON of every line; one that a crash cut short is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def dump_yaml(content: Mapping[str, Any]) -> str:
    """A config as YAML that reads back equal."""
    return yaml.dump(_plain(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Quotes what the reader would otherwise take for something else than text."""

    yaml_implicit_resolvers = RESOLVERS


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    return value
