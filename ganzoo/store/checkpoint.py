"""Checkpoints: tensors and JSON, complete enough to sample from alone and to resume exactly."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganzoo.config.schema import Keep
from ganzoo.config.tree import shown
from ganzoo.errors import Problem, UserError, listed
from ganzoo.parallel import shards
from ganzoo.store import form, pieces, published
from ganzoo.store.files import atomic, check_archive, from_json
from ganzoo.store.folder import RunFolder

FORMAT, SHARDED = 1, 2  # one file; a file and pieces beside it
NAMED = re.compile(r"step_\d{1,15}\.pt")


@dataclass
class Checkpoint:
    """A checkpoint in memory: `header` is plain JSON, `state` holds the trainer's tensors.

    Those of sharded parts may be left out, on meta, and be read later.
    """

    path: Path
    header: dict[str, Any]
    state: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Checkpoint {self.path}: {self.header.get('name')}, step {self.step}>"

    @property
    def step(self) -> int:
        return self.state["step"]

    def read(self, into: Mapping[tuple[Any, ...], torch.Tensor]) -> None:
        """Fill tensors, or pieces of them, that were left out, by their paths in the state.

        Raises:
            UserError: they cannot be read.
        """
        try:
            pieces.read(self.path, into)
        except ValueError as error:
            raise _unreadable(self.path, str(error)) from None


def save(path: Path, header: dict[str, Any], state: dict[str, Any], sizes: Mapping[str, int] | None = None) -> None:
    """Write a checkpoint, whole or not at all; the pieces of sharded parts, with files of these `sizes`, are there."""
    stored = {"format": FORMAT, "header": json.dumps(header), "state": state}
    if sizes:
        blank = shards.mapped(
            lambda _, t: torch.empty(t.shape, dtype=t.dtype, device="meta") if shards.is_sharded(t) else t, state
        )
        stored |= {"format": SHARDED, "state": blank, "pieces": dict(sizes)}
    with atomic(path, _bytes(stored["state"])) as file:
        torch.save(stored, file)


def _bytes(state: Any) -> int:
    """The bytes of all tensors."""
    if isinstance(state, torch.Tensor):
        return 0 if state.is_meta else state.nbytes
    items = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return sum(map(_bytes, items))


def load(path: Path, whole: bool = True) -> Checkpoint:
    """Read a checkpoint; nothing in it is executed.

    Args:
        path: Its file.
        whole: Read the tensors of sharded parts, too.

    Raises:
        UserError: it is no checkpoint, is damaged, or was written by a newer ganzoo.
    """
    if path.name == published.WEIGHTS and published.is_one(path.parent):
        found = published.Published.at(path.parent)
        return Checkpoint(path, found.header, found.state())
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}")
    stored: Any = None
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path)
            damaged = archive.testzip()
        if not damaged:
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except (zipfile.BadZipFile, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is cut short, or another file"
        raise _unreadable(path, reason) from None
    except Exception:  # torch raises many kinds for what it does not read
        raise _unreadable(path, "it holds more than tensors and plain values") from None
    if damaged:
        raise _unreadable(path, "its content does not match its checksums")
    try:
        number, header, state = stored["format"], from_json(stored["header"]), stored["state"]
        if not isinstance(number, int):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise _unreadable(path, "another program wrote it") from None
    if number > SHARDED:
        raise UserError(f"{path} has checkpoint format {number}; this ganzoo reads up to {SHARDED}: upgrade ganzoo")
    try:
        form.check_header(header)
        form.check_state(state)
        missing = {key: tensor for key, tensor in shards.flat(state).items() if tensor.is_meta}
        pieces.check(path, form.check_pieces(stored.get("pieces", {})), sum(t.nbytes for t in missing.values()))
    except ValueError as error:
        raise _unreadable(path, str(error)) from None
    made = Checkpoint(path, header, state)
    if missing and whole:
        made.state = shards.mapped(lambda _, tensor: shards.cut(tensor, None), state)
        tensors = shards.flat(made.state)
        made.read({key: tensors[key] for key in missing})
    return made


def _unreadable(path: Path, reason: str) -> UserError:
    others = [other.name for other in every(RunFolder(path.parent.parent)) if other != path]
    hint = f"there are also {listed(others)}" if others else "train.keep.last=2 keeps one more"
    return UserError(Problem(f"{path} is not a ganzoo checkpoint, or is damaged: {reason}", hint=hint))


def locate(run: str | Path, which: str = "last") -> Path:
    """The checkpoint file of a run folder (its last, or its best), the weights of a published model, or a file itself.

    Raises:
        UserError: there is none.
    """
    path = Path(run)
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(f"there is no run or checkpoint at {run}")
    if published.is_one(path):
        return path / published.WEIGHTS
    folder = RunFolder(path)
    if which == "best":
        index = read_index(folder)
        best = index.get("best")
        if not best:
            raise UserError(f"{run} keeps no best checkpoint (train.keep.best names what it is the best of)")
        if not isinstance(best, str) or not NAMED.fullmatch(best):
            raise UserError(f"{folder.checkpoints / 'index.json'} names {shown(best)}, which is no checkpoint")
        return folder.checkpoints / best
    found = every(folder)
    if not found:
        what = "has no checkpoint yet" if (path / "config.yaml").exists() else "is not a run folder"
        raise UserError(f"{run} {what}")
    return found[-1]


def every(folder: RunFolder) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted(folder.checkpoints.glob("step_*.pt"))


def set_aside(folder: RunFolder, step: int) -> None:
    """Rename the checkpoints after a step, so that a run that goes on from it does not find them."""
    for path in every(folder):
        if int(path.stem.removeprefix("step_")) > step:
            pieces.rename(path, path.with_suffix(".pt.old"))


def clear(folder: RunFolder) -> None:
    """Delete the checkpoints of a training that begins again."""
    for path in [*every(folder), folder.checkpoints / "index.json"]:
        path.unlink(missing_ok=True)
    pieces.sweep(folder.checkpoints)


def name(step: int) -> str:
    return f"step_{step:08d}.pt"


def read_index(folder: RunFolder) -> dict[str, Any]:
    """What ``checkpoints/index.json`` says: which file is the best, and its value.

    Raises:
        UserError: it cannot be read.
    """
    path = folder.checkpoints / "index.json"
    if not path.exists():
        return {}
    try:
        found = from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} is no index of checkpoints")
    return found


def prune(folder: RunFolder, keep: Keep, best: str | None) -> None:
    """Delete what is neither among the newest, nor on a multiple of ``keep.every``, nor the best."""
    files = every(folder)
    kept = {path.name for path in files[-keep.last :]} | {best}
    for path in files:
        step = int(path.stem.removeprefix("step_"))
        if path.name not in kept and not (keep.every and step % keep.every == 0):
            path.unlink()
            pieces.remove(path)
