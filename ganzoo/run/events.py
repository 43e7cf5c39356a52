"""What run hooks are told about the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

_VARIED = ("data", "parts", "players", "phases", "optimizer", "schedule", "update", "train")


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

    def equations(self) -> str:
        """Named values, then what each player trains and minimises, a line each."""
        lines = [f"{name} = {text}" for name, text in (self.config.get("flow") or {}).items()]
        for name, player in (self.config.get("players") or {}).items():
            trains = ", ".join(player.get("trains") or [name])
            lines.append(f"\n{name} trains {trains}, minimising")
            for term, settings in (player.get("minimize") or {}).items():
                of = settings["of"] if isinstance(settings, dict) else settings
                extra = {k: v for k, v in settings.items() if k != "of"} if isinstance(settings, dict) else {}
                lines.append(f"  {term}: {of}" + (f"   {extra}" if extra else ""))
        return "\n".join(lines)

    def settings(self) -> dict[str, Any]:
        """What can be varied, by its path: numbers and texts of data, parts, players, optimizers and training."""
        found: dict[str, Any] = {"model": self.name}

        def walk(path: str, value: Any) -> None:
            if isinstance(value, dict):
                for key, child in value.items():
                    walk(f"{path}.{key}", child)
            elif value is not None:
                found[path] = str(value) if isinstance(value, list) else value

        for section in _VARIED:
            walk(section, self.config.get(section))
        return found
