"""What the core's tests share: distributions on the path, model files, the line a text stands on."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from ganzoo.registry import Plugin, Registry, Zoo


class Site:
    """A folder on ``sys.path`` to which distributions can be added, found by the real ``importlib.metadata``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.modules: list[str] = []

    def add(self, dist: str, code: str | None, point: str = "", version: str = "1.0", module: str = "") -> Path:
        """Write ``dist-version.dist-info`` with one entry point, and its module unless `code` is None."""
        module = module or dist.replace("-", "_")
        info = self.folder / f"{dist.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{point or module} = {module}\n")
        return self.write(module, code) if code is not None else info

    def write(self, module: str, code: str) -> Path:
        self.modules.append(module)
        path = self.folder / f"{module}.py"
        path.write_text(textwrap.dedent(code).lstrip("\n"))
        return path


def register(body: str, head: str = "") -> str:
    """The code of a plugin module whose ``register(zoo)`` has this body."""
    body = textwrap.indent(textwrap.dedent(body).strip() or "pass", "    ")
    return f"import ganzoo\n{textwrap.dedent(head)}\n\n@ganzoo.hookimpl\ndef register(zoo):\n{body}\n"


def extended(
    registry: Registry, components: Mapping[str, object], configs: Path | None = None, name: str = "testing"
) -> Registry:
    """A copy of a registry with more components, ``{"data.images": factory}``, and perhaps a folder of models."""
    copy = Registry(list(registry.plugins), modules=list(registry.modules))
    copy.entries, copy.folders = {key: list(found) for key, found in registry.entries.items()}, list(registry.folders)
    plugin = Plugin(name, name, "1.0")
    zoo = Zoo(plugin)
    for component, target in components.items():
        zoo.add(*component.split(".", 1), target)  # type: ignore[arg-type]
    if configs is not None:
        zoo.configs(configs)
    copy.commit(plugin, object(), zoo)
    return copy


def line_of(text: str, piece: str) -> int:
    """The line on which a piece of a text first stands."""
    return text[: text.index(piece)].count("\n") + 1
