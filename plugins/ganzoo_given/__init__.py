"""Data in hand: arrays, tensors and data sets of a running program as a data component."""

from __future__ import annotations

from typing import Any

import ganzoo


def _fields(args: dict[str, Any]) -> list[str] | None:
    from ganzoo_given.given import HELD

    held = HELD.get(str(args.get("content")))
    return list(held.fields) if held is not None else None


@ganzoo.hookimpl
def register(zoo: ganzoo.registry.Zoo) -> None:
    zoo.data("given", "ganzoo_given.given:Given", fields=_fields, reads="objects")
