"""The run folder and how it is written: whole files at once, or not at all."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import yaml

from ganzoo.config.yaml12 import RESOLVERS
from ganzoo.errors import Problem, UserError

if TYPE_CHECKING:
    from ganzoo.run.evaluate import Record


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


class RunFolder:
    """Paths of a run, and its log of numbers."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.samples = self.path / "samples"
        self.metrics = self.path / "metrics.jsonl"
        self.evaluations = self.path / "evaluations.jsonl"

    def check_free(self) -> None:
        """Refuse a place that is taken.

        Raises:
            UserError: there is a run, or anything else, in it.
        """
        if self.path.is_file():
            raise UserError(Problem(f"{self.path} is a file", hint="give the run another folder"))
        if self.path.is_dir() and any(self.path.iterdir()):
            if (self.path / "config.yaml").exists() and not any(self.checkpoints.glob("step_*.pt")):
                message = f"{self.path} holds a run that was stopped before its first checkpoint"
                raise UserError(Problem(message, hint="delete it, or give the new run another folder"))
            if (self.path / "config.yaml").exists():
                hint = f"`ganzoo resume {self.path}` goes on with it; or give the new run another folder"
                raise UserError(Problem(f"{self.path} already holds a run", hint=hint))
            raise UserError(Problem(f"{self.path} is not empty", hint="give the run another folder"))

    @classmethod
    def claim(cls, path: str | Path | None, name: str, root: Path = Path("runs")) -> Path:
        """Make the folder of a new run: `path`, or the first free ``root/name-001``. No other run can then take it.

        Raises:
            UserError: it is taken, or cannot be made.
        """
        try:
            if path is not None:
                cls(path).check_free()
                Path(path).mkdir(parents=True, exist_ok=True)
                return Path(path)
            root.mkdir(parents=True, exist_ok=True)
            for number in itertools.count(1):
                free = root / f"{name.replace('/', '-')}-{number:03d}"
                with suppress(FileExistsError):
                    free.mkdir()
                    return free
            raise AssertionError
        except OSError as error:
            raise UserError(f"{path or root} cannot be made: {error.strerror or error}") from error

    def write_yaml(self, name: str, content: Mapping[str, Any], comment: str = "") -> None:
        """Write a config file."""
        write_atomic(self.path / name, comment + dump_yaml(content))

    def write_json(self, name: str, content: Any) -> None:
        write_atomic(self.path / name, json.dumps(content, indent=2) + "\n")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to ``metrics.jsonl``."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def log_records(self, records: Iterable[Record], of: Mapping[str, Any], out: Path | None = None) -> None:
        """Append metric records to ``evaluations.jsonl``, or another file, each a line, with what they are `of`."""
        lines = [json.dumps({**of, **asdict(record)}) + "\n" for record in records]
        with (out or self.evaluations).open("a", encoding="utf-8") as file:
            file.write("".join(lines))

    def records(self) -> list[dict[str, Any]]:
        """Every line of ``metrics.jsonl``."""
        return _lines(self.metrics)

    def evaluated(self) -> list[dict[str, Any]]:
        """Every line of ``evaluations.jsonl``."""
        return _lines(self.evaluations)

    def cut_back(self, step: int) -> None:
        """Forget what was logged after a step."""
        for path in (self.metrics, self.evaluations):
            kept = [json.dumps(record) + "\n" for record in _lines(path) if record.get("step", 0) <= step]
            if kept or path.exists():
                write_atomic(path, "".join(kept))


def _lines(path: Path) -> list[dict[str, Any]]:
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
