"""The run folder: where everything of a run lies, and its logs of numbers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import Problem, UserError
from ganzoo.parallel import launch
from ganzoo.store import lock, pieces
from ganzoo.store.files import append, dump_yaml, from_json, read_lines, write_atomic

if TYPE_CHECKING:
    from ganzoo.evaluation.records import Record


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
            UserError: there is a run, or anything else, in it, or another process writes there.
        """
        if self.path.is_file():
            raise UserError(Problem(f"{self.path} is a file", hint="give the run another folder"))
        lock.check_free(self.path)
        self.check_empty()

    def check_empty(self) -> None:
        """Refuse a folder that holds anything but what a killed process left of its first write.

        Raises:
            UserError: there is a run, or anything else, in it.
        """
        if self.path.is_dir() and any(not _left(path.name) for path in self.path.iterdir()):
            if (self.path / "config.yaml").exists() and not any(self.checkpoints.glob("step_*.pt")):
                message = f"{self.path} holds a run that was stopped before its first checkpoint"
                raise UserError(Problem(message, hint="delete it, or give the new run another folder"))
            if (self.path / "config.yaml").exists():
                hint = f"`{launch.command('resume', self.path)}` goes on with it; or give the new run another folder"
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

    def read_json(self, name: str) -> dict[str, Any]:
        """What a file of this run holds; nothing, if there is none or it is no JSON."""
        try:
            return dict(from_json((self.path / name).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to ``metrics.jsonl``."""
        append(self.metrics, json.dumps(record) + "\n")

    def log_records(self, records: Iterable[Record], of: Mapping[str, Any], out: Path | None = None) -> None:
        """Append metric records to ``evaluations.jsonl``, or another file, each a line, with what they are `of`."""
        lines = [json.dumps({**of, **asdict(record)}) + "\n" for record in records]
        append(out or self.evaluations, "".join(lines))

    def records(self) -> list[dict[str, Any]]:
        """Every line of ``metrics.jsonl``."""
        return _of_steps(self.metrics)

    def evaluated(self) -> list[dict[str, Any]]:
        """Every line of ``evaluations.jsonl``."""
        return _of_steps(self.evaluations)

    def sweep(self) -> None:
        """Delete what writes that were killed left behind."""
        pieces.sweep(self.checkpoints)
        for leftover in self.path.rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)

    def cut_back(self, step: int) -> None:
        """Forget what was logged after a step."""
        for path in (self.metrics, self.evaluations):
            kept = [json.dumps(record) + "\n" for record in _of_steps(path) if record.get("step", 0) <= step]
            if kept or path.exists():
                write_atomic(path, "".join(kept))


def _of_steps(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; one whose step is no number was not written by a run."""
    return [record for record in read_lines(path) if isinstance(record.get("step", 0), int)]


def _left(name: str) -> bool:
    return name == lock.WRITER or (name.startswith(".") and name.endswith(".tmp"))
