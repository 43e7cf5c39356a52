"""What a plugin registers with: components and folders of models."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any

from ganzoo.errors import choices
from ganzoo.registry.components import KINDS, Entry, Plugin, _find_without_import

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.v[0-9]+)?")
_LAZY = re.compile(r"[\w.]+:[\w.]+")


class Zoo:
    """What a plugin's ``register(zoo)`` receives. Collects its components; they count only if the call returns."""

    def __init__(self, plugin: Plugin):
        self._plugin = plugin
        self.entries: dict[str, Entry] = {}
        self.folders: list[Path] = []

    def add(self, kind: str, name: str, target: Callable[..., Any] | str, **facts: Any) -> None:
        """Register `target` as ``kind.name``: a factory, or a lazy ``"package.module:attribute"``.

        Keyword arguments are facts that can be known without importing it. Of a `data` component: ``fields``, the
        names of the values that it gives, ``bundled=True`` if its files ship inside the package, ``reads="folder"``
        if its argument `root` may be any folder, and ``packs="FORMAT"`` if it has a static ``pack(data, folder)``.
        Of an `extractor`: ``takes``, the shapes of its images, such as ``[(3, None, None)]`` for colour of any size,
        and ``default=True`` if it may be chosen for them where none is named.

        Raises:
            ValueError: an unknown kind, a malformed name, a target that is no factory, or a name given twice.
        """
        if kind not in KINDS:
            raise ValueError(f"there is no kind '{kind}' ({choices(kind, KINDS) or 'kinds: ' + ', '.join(KINDS)})")
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' is no component name: lower case letters, digits and _, then perhaps .v2")
        if isinstance(target, str) and not _LAZY.fullmatch(target):
            raise ValueError(f"{kind}.{name}: '{target}' should read 'package.module:Class'")
        if not isinstance(target, str) and not callable(target):
            raise ValueError(f"{kind}.{name}: {target!r} is neither a class or function nor 'package.module:Class'")
        entry = Entry(kind, name, target, self._plugin, facts)
        if entry.id in self.entries:
            raise ValueError(f"{entry.id} is registered twice")
        self.entries[entry.id] = entry

    generator = partialmethod(add, "generator")
    discriminator = partialmethod(add, "discriminator")
    encoder = partialmethod(add, "encoder")
    extractor = partialmethod(add, "extractor")
    adversarial = partialmethod(add, "adversarial")
    loss = partialmethod(add, "loss")
    regularizer = partialmethod(add, "regularizer")
    prior = partialmethod(add, "prior")
    op = partialmethod(add, "op")
    data = partialmethod(add, "data")
    augment = partialmethod(add, "augment")
    optimizer = partialmethod(add, "optimizer")
    schedule = partialmethod(add, "schedule")
    metric = partialmethod(add, "metric")
    phases = partialmethod(add, "phases")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no zoo.{name} ({choices(name, (*KINDS, 'add', 'configs')) or 'see zoo.add'})")

    def configs(self, folder: str | Path) -> None:
        """Add a folder of models, ``<paper>/<variant>.yaml``: a path, or the name of a package that holds it.

        Raises:
            ValueError: there is no such folder.
        """
        path = Path(folder)
        if not path.is_dir() and isinstance(folder, str) and re.fullmatch(r"[\w.]+", folder):
            spec = _find_without_import(folder)
            if spec is not None and spec.submodule_search_locations:
                path = Path(next(iter(spec.submodule_search_locations)))
        if not path.is_dir():
            raise ValueError(f"there is no folder of models at '{folder}'")
        self.folders.append(path.resolve())
