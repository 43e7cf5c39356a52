"""ganzoo: a modular zoo of generative adversarial networks, composed from YAML and extended by plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo.api import load, open
    from ganzoo.contract import Measured, Scales, first, ignores
    from ganzoo.data.fields import Field

__version__ = "0.1.0"
__all__ = ["Field", "Measured", "Scales", "first", "hookimpl", "ignores", "load", "open"]

_LAZY = {
    "load": "ganzoo.api",
    "open": "ganzoo.api",
    "first": "ganzoo.contract",
    "ignores": "ganzoo.contract",
    "Measured": "ganzoo.contract",
    "Scales": "ganzoo.contract",
    "Field": "ganzoo.data.fields",
}


def __getattr__(name: str) -> Any:
    """Public names load on first use, so that `import ganzoo` needs no torch."""
    if name not in _LAZY:
        raise AttributeError(f"module 'ganzoo' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
