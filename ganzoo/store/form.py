"""Whether what a file says of a model has the form that every reader of it takes for granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganzoo.data.fields import Field


def check_header(header: Any) -> None:
    """A name, and a complete model with the fields of its data.

    Raises:
        ValueError: the header is another one.
    """
    config = _mapping(_mapping(header, "a header").get("config"), "a model")
    locked = _mapping(config.get("locked"), "what was locked")
    if not isinstance(header.get("name"), str):
        raise ValueError("it has no name")
    for section in ("parts", "flow"):
        _mapping(config.get(section, {}), section)
    for stored in _mapping(locked.get("fields"), "fields").values():
        Field.from_json(stored)
    for change in _list(locked.get("changes", []), "changes"):
        settings = _mapping(_mapping(change, "a change").get("settings"), "settings")
        if not isinstance(change.get("step"), int) or not all(len(_list(v, "values")) == 2 for v in settings.values()):
            raise ValueError("a change is something else than a step, and settings that were and are")
    weights = _mapping(header.get("weights", {}), "weights")
    for key in ("averaged", "left_out"):
        if not all(isinstance(name, str) for name in _list(weights.get(key, []), key)):
            raise ValueError(f"{key} holds more than names")


def check_state(state: Any) -> None:
    """A step, the tensors of parts, and of each player the averages where it keeps some.

    Raises:
        ValueError: the state is another one.
    """
    step = _mapping(state, "a state").get("step")
    if not isinstance(step, int) or step < 0:
        raise ValueError("it has no step")
    _parts(state.get("parts"))
    for player in _mapping(state.get("players"), "players").values():
        ema = _mapping(player, "a player").get("ema")
        if ema is not None:
            _parts(_mapping(ema, "averages").get("parts"))


def check_pieces(pieces: Any) -> dict[str, int]:
    """The sizes of files by their names.

    Raises:
        ValueError: they are something else.
    """
    if not all(isinstance(size, int) for size in _mapping(pieces, "pieces").values()):
        raise ValueError("pieces should be sizes of files")
    return dict(pieces)


def _parts(parts: Any) -> None:
    for name, stored in _mapping(parts, "parts").items():
        _mapping(stored, f"part '{name}'")


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{what} should be a mapping of names")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} should be a list")
    return value
