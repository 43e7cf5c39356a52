"""ganzoo: a modular zoo of generative adversarial networks, composed from YAML and extended by plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo.api import load, make, open, pack, publish, resume
    from ganzoo.bounds import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
    from ganzoo.contract import Measured, Scales, first, ignores
    from ganzoo.data.fields import Field
    from ganzoo.errors import Diverged, GanzooError, UserError
    from ganzoo.registry.plugins import component

__version__ = "0.1.0"

_HOMES = {
    "ganzoo.api": ("load", "make", "open", "pack", "publish", "resume"),
    "ganzoo.bounds": ("Fraction", "NonNegativeFloat", "NonNegativeInt", "PositiveFloat", "PositiveInt"),
    "ganzoo.contract": ("Measured", "Scales", "first", "ignores"),
    "ganzoo.data.fields": ("Field",),
    "ganzoo.registry.plugins": ("component",),
    "ganzoo.errors": ("Diverged", "GanzooError", "UserError"),
}
_LAZY = {name: module for module, names in _HOMES.items() for name in names}
__all__ = [
    "Diverged",
    "Field",
    "Fraction",
    "GanzooError",
    "Measured",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "Scales",
    "UserError",
    "component",
    "first",
    "hookimpl",
    "ignores",
    "load",
    "make",
    "open",
    "pack",
    "publish",
    "resume",
]


def __getattr__(name: str) -> Any:
    """Public names load on first use, so that `import ganzoo` needs no torch."""
    if name not in _LAZY:
        raise AttributeError(f"module 'ganzoo' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted([*__all__, "__version__"])
