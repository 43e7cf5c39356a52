"""What run hooks are told about the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunInfo:
    """A run as its hooks see it: where it is, what it trains, and for how many steps, if that is known already."""

    folder: Path
    name: str
    config: dict[str, Any]
    steps: int | None

    def options(self, plugin: str) -> dict[str, Any] | None:
        """The options under ``plugins.<plugin>``; None if the plugin is switched off there (``false``)."""
        stated = (self.config.get("plugins") or {}).get(plugin, {})
        if stated is False:
            return None
        return stated if isinstance(stated, dict) else {}
