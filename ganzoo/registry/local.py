"""Components of the running process: registered in a notebook's cell or a script, without a plugin."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ganzoo.registry.components import Plugin
from ganzoo.registry.zoo import Zoo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ganzoo.registry.registry import Registry

FILE = "components.py"  # where a run keeps their source, and the name they go by: --code finds them there again
PLUGIN = Plugin("components", FILE, "local")

_process = Zoo(PLUGIN)
_collecting: Zoo | None = None  # while a file of --code is loaded


def add(kind: str, name: str, target: Callable[..., Any], facts: dict[str, Any]) -> bool:
    """Register a component of this process, in the place of an earlier one of its name.

    While a file of ``--code`` is loaded it belongs to that file, and the answer is False.

    Raises:
        ValueError: there is no such kind, or the name is malformed.
    """
    if _collecting is not None:
        _collecting.add(kind, name, target, **facts)
        return False
    _process.entries.pop(f"{kind}.{name}", None)
    _process.add(kind, name, target, **facts)
    return True


def add_to(registry: Registry) -> None:
    """Let a registry know the components of this process, as they are now."""
    for key, entry in _process.entries.items():
        others = [e for e in registry.entries.get(key, ()) if e.plugin != PLUGIN]
        registry.entries[key] = [*others, entry]


@contextmanager
def collecting(zoo: Zoo) -> Iterator[None]:
    """Inside the block what is registered belongs to the plugin of `zoo`."""
    global _collecting
    before, _collecting = _collecting, zoo
    try:
        yield
    finally:
        _collecting = before
