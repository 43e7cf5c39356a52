"""Warm starts, ``parts.G.init``: a run or checkpoint, ``RUN[:part]``, or published weights, ``FILE[:key]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ganzoo.config.spec import Part, Spec
from ganzoo.errors import Problem, UserError, choices, listed
from ganzoo.model.adopt import adopt, tensors_of
from ganzoo.parallel.shards import cut
from ganzoo.registry import plugins
from ganzoo.store import checkpoint, names, published, weights

T = TypeVar("T")

Ready = tuple[nn.Module, dict[str, Any], str]


def start(spec: Spec, parts: Mapping[str, Any]) -> list[str]:
    """Copy what fits from elsewhere into the parts that ask for it; a line for each about what did not.

    Every source is read before anything is copied, so that parts are started all or not at all.

    Raises:
        UserError: a source cannot be read, has no such part or another layout, or nothing in it fits.
    """
    wanted = [part for part in spec.parts.values() if part.init is not None and part.name in parts]
    ready = [_ready(part, parts[part.name]) for part in wanted]
    for built, fits, _ in ready:
        with torch.no_grad():
            own = dict(built.named_parameters())
            built.load_state_dict({name: cut(tensor, own.get(name)) for name, tensor in fits.items()}, strict=False)
    return [report for _, _, report in ready]


def check(spec: Spec) -> None:
    """Whether the sources are there and can be read.

    Raises:
        UserError: one is not.
    """
    for part in spec.parts.values():
        if part.init is not None:
            path, key = _source(part)
            if _is_foreign(path):
                _telling(part, weights.chosen, path, key)


def _source(part: Part) -> tuple[Path, str]:
    """The file a part starts from, and the part or key in it, if one is named."""
    source, name = part.init or "", ""
    if names.is_named(source):
        prefix, _, source = source.partition(":")
        source, _, name = source.partition(":")
        source = f"{prefix}:{source}"
    elif not Path(source).exists() and ":" in source:
        source, _, name = source.rpartition(":")
    return _telling(part, checkpoint.locate, _telling(part, names.resolve, source, plugins.in_use())), name


def _telling(part: Part, action: Callable[..., T], *args: Any) -> T:
    """What goes wrong in an action stands at the line of the part's ``init``."""
    try:
        return action(*args)
    except UserError as error:
        raise UserError(
            replace(problem, origin=part.at("init"), path=f"{part.path}.init") for problem in error.problems
        ) from None


def _failed(part: Part, message: str, hint: str = "") -> UserError:
    return UserError(Problem(message, part.at("init"), f"{part.path}.init", hint))


def _is_foreign(path: Path) -> bool:
    """Whether another program wrote a file: what is called like a checkpoint, or has its keys, is one."""
    if re.fullmatch(r"step_\d+\.pt(\.old)?", path.name) or _is_published(path):
        return False
    if path.suffix in (".safetensors", ".npz"):
        return True
    content = weights.read(path)
    return not (isinstance(content, Mapping) and {"format", "header", "state"} <= content.keys())


def _is_published(path: Path) -> bool:
    return path.name == published.WEIGHTS and published.is_one(path.parent)


def _ready(part: Part, built: Any) -> Ready:
    """A part, the tensors that it starts from, and a line about them."""
    path, name = _source(part)
    if not isinstance(built, nn.Module):
        raise _failed(part, f"{part.entry.id} has nothing to start from")
    if _telling(part, _is_foreign, path):
        return _published(part, built, path, name)
    if part.match is not None:
        raise _failed(part, f"{path} is a checkpoint, so there is nothing to match", "leave `match:` out")
    return _trained(part, built, path, name or part.name)


def _published(part: Part, built: nn.Module, path: Path, key: str) -> Ready:
    found = _telling(part, weights.chosen, path, key)
    try:
        adopted = adopt(built, part.entry.id, found, plugins.in_use().layouts, part.match)
    except UserError as error:
        first = error.problems[0]
        raise _failed(part, f"{path} does not fit: {first.message}", first.hint) from None
    report = f"{part.name}: {adopted.used} tensors from {path} ({adopted.how})"
    report += f"; not used from there: {listed(adopted.unused)}" if adopted.unused else ""
    return built, adopted.tensors, "\n".join([report, *(f"  {line}" for line in adopted.lines)])


def _trained(part: Part, built: nn.Module, path: Path, name: str) -> Ready:
    stored = _telling(part, checkpoint.load, path)
    if name not in stored.state["parts"]:
        raise _failed(part, f"{stored.path} has no part '{name}'", choices(name, stored.state["parts"]))
    given = averaged(stored.state).get(name, stored.state["parts"][name])
    own = tensors_of(built)
    fits = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    if not fits:
        raise _failed(part, f"nothing of part '{name}' in {stored.path} fits {part.entry.id}")
    missing = sorted(set(own) - set(fits))
    unused = sorted(set(given) - set(fits))
    report = f"{part.name}: {len(fits)} of {len(own)} tensors from {stored.path}"
    report += f"; not matched here: {listed(missing)}" if missing else ""
    return built, fits, report + (f"; not used from there: {listed(unused)}" if unused else "")


def averaged(state: Mapping[str, Any]) -> dict[str, Any]:
    """The averaged copies that a checkpoint's state holds, by part."""
    found: dict[str, Any] = {}
    for player in state["players"].values():
        if player["ema"] is not None:
            found |= player["ema"]["parts"]
    return found
