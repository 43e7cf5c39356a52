"""Warm starts: ``parts.G.init: RUN_OR_CHECKPOINT[:part]``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganzoo.config.spec import Part, Spec
from ganzoo.errors import Problem, UserError, choices, listed
from ganzoo.store import checkpoint


def start(spec: Spec, parts: Mapping[str, Any]) -> list[str]:
    """Copy what fits from other runs into the parts that ask for it; a line for each about what did not.

    Raises:
        UserError: the source cannot be read, has no such part, or nothing in it fits.
    """
    return [_copy(part, parts[name]) for name, part in spec.parts.items() if part.init is not None]


def check(spec: Spec) -> None:
    """Whether the sources are there.

    Raises:
        UserError: one is not.
    """
    for part in spec.parts.values():
        if part.init is not None:
            _source(part)


def _source(part: Part) -> tuple[Path, str]:
    """The checkpoint a part starts from, and the part in it."""
    source, name = part.init or "", part.name
    if not Path(source).exists() and ":" in source:
        source, _, name = source.rpartition(":")
    try:
        return checkpoint.locate(source), name
    except UserError as error:
        raise _failed(part, str(error)) from None


def _failed(part: Part, message: str, hint: str = "") -> UserError:
    return UserError(Problem(message, part.at("init"), f"{part.path}.init", hint))


def _copy(part: Part, built: Any) -> str:
    def fail(message: str, hint: str = "") -> UserError:
        return _failed(part, message, hint)

    path, name = _source(part)
    try:
        stored = checkpoint.load(path)
    except UserError as error:
        raise fail(str(error)) from None
    if name not in stored.state["parts"]:
        raise fail(f"{stored.path} has no part '{name}'", choices(name, stored.state["parts"]))
    if not isinstance(built, nn.Module):
        raise fail(f"{part.entry.id} has nothing to start from")
    given = averaged(stored.state).get(name, stored.state["parts"][name])
    own = built.state_dict()
    fits = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    if not fits:
        raise fail(f"nothing of part '{name}' in {stored.path} fits {part.entry.id}")
    with torch.no_grad():
        built.load_state_dict(fits, strict=False)
    missing = sorted(set(own) - set(fits))
    unused = sorted(set(given) - set(fits))
    report = f"{part.name}: {len(fits)} of {len(own)} tensors from {stored.path}"
    report += f"; not matched here: {listed(missing)}" if missing else ""
    return report + (f"; not used from there: {listed(unused)}" if unused else "")


def averaged(state: Mapping[str, Any]) -> dict[str, Any]:
    """The averaged copies that a checkpoint's state holds, by part."""
    found: dict[str, Any] = {}
    for player in state["players"].values():
        if player["ema"] is not None:
            found |= player["ema"]["parts"]
    return found
