"""What a plugin registers with: components, folders of models, and layouts of published weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partialmethod
from pathlib import Path
from typing import Any

from ganzoo.errors import choices
from ganzoo.registry.components import KINDS, Entry, Layout, Plugin, Renamed, _find_without_import

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.v[0-9]+)?")
_LAZY = re.compile(r"[\w.]+:[\w.]+")
STATED: dict[str, tuple[str, ...]] = {  # what a plugin may state of a component, by its kind
    "data": ("fields", "bundled", "licence", "credit", "reads", "packs"),
    "encoder": ("reads",),
    "extractor": ("takes", "default"),
}


class Zoo:
    """What a plugin's ``register(zoo)`` receives. Collects its components; they count only if the call returns."""

    def __init__(self, plugin: Plugin):
        self._plugin = plugin
        self.entries: dict[str, Entry] = {}
        self.folders: list[Path] = []
        self.trained_folders: list[Path] = []
        self.layouts: dict[str, Layout] = {}

    def add(self, kind: str, name: str, target: Callable[..., Any] | str, **facts: Any) -> None:
        """Register `target` as ``kind.name``: a factory, or a lazy ``"package.module:attribute"``.

        Keyword arguments are facts that can be known without importing it. Of a `data` component: ``fields``, the
        names of the values that it gives, ``bundled=True`` if its files ship inside the package, ``licence``, an SPDX
        name without which nothing that was trained on it is published, and ``credit``, ``reads="folder"`` if its
        argument `root` may be any folder, and ``packs="FORMAT"`` if it has a static ``pack(data, folder)``.
        Of an `encoder`: ``reads="captions"`` if it turns a list of strings into rows. Of an `extractor`: ``takes``, the
        shapes of its images, such as ``[(3, None, None)]`` for colour of any size, and ``default=True`` if it may be
        chosen for them where none is named.

        Raises:
            ValueError: an unknown kind or fact, a malformed name, a target that is no factory, or a name given twice.
        """
        if kind not in KINDS:
            raise ValueError(f"there is no kind '{kind}' ({choices(kind, KINDS) or 'kinds: ' + ', '.join(KINDS)})")
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' is no component name: lower case letters, digits and _, then perhaps .v2")
        if isinstance(target, str) and not _LAZY.fullmatch(target):
            raise ValueError(f"{kind}.{name}: '{target}' should read 'package.module:Class'")
        if not isinstance(target, str) and not callable(target):
            raise ValueError(f"{kind}.{name}: {target!r} is neither a class or function nor 'package.module:Class'")
        for fact in facts:
            if fact not in (known := STATED.get(kind, ())):
                hint = choices(fact, known) or "a component of this kind has none"
                raise ValueError(f"{kind}.{name}: there is no fact '{fact}' ({hint})")
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
        known = (*KINDS, "add", "configs", "trained", "weights")
        raise AttributeError(f"there is no zoo.{name} ({choices(name, known) or 'see zoo.add'})")

    def configs(self, folder: str | Path) -> None:
        """Add a folder of models, ``<paper>/<variant>.yaml``: a path, or the name of a package that holds it.

        Raises:
            ValueError: there is no such folder.
        """
        self.folders.append(_folder(folder))

    def trained(self, folder: str | Path) -> None:
        """Add a folder of trained models, ``<paper>/<variant>/``, as ``ganzoo publish`` writes it.

        Raises:
            ValueError: there is no such folder.
        """
        self.trained_folders.append(_folder(folder))

    def weights(
        self,
        name: str,
        target: str,
        *,
        keys: Iterable[str],
        renames: Mapping[str, Renamed] | None = None,
        convert: Callable[..., Any] | str | None = None,
        source: str = "",
        back: Callable[..., Any] | str | None = None,
        names: Callable[..., Any] | str | None = None,
    ) -> None:
        """Register a layout of published weights, so that ``parts.NAME.init: FILE`` reads them.

        Args:
            name: The layout's name, which ``match:`` of a part takes too.
            target: The component that they are for, such as ``generator.acme``.
            keys: Patterns by which a file is recognised: each matches the whole name of some tensor in it.
            renames: From patterns of names in the file to the component's own names: a template as for ``re.sub``, a
                function of the match and the part, or None for what the component has no use for. The first that
                matches counts; what none matches keeps its name.
            convert: A function, or ``"package.module:function"``, of the renamed tensors and the part, which returns
                them as the component computes with them; a ValueError refuses the part's settings.
            source: The repository that writes such files.
            back: The inverse of `convert`, with the same arguments, by which ``ganzoo convert`` writes such files; of a
                conversion that only checks, or is its own inverse, the same function.
            names: For ``ganzoo convert``, a function of the part that lists those names in a file which its patterns
                leave unclear, because several become the same.

        Raises:
            ValueError: a malformed or repeated name, no keys, or a pattern that cannot be read.
        """
        if not _NAME.fullmatch(name) or name in self.layouts:
            raise ValueError(f"'{name}' is no name of a layout, or registered twice")
        for function in (convert, back, names):
            if isinstance(function, str) and not _LAZY.fullmatch(function):
                raise ValueError(f"weights {name}: '{function}' should read 'package.module:function'")
        try:
            known = tuple(re.compile(key) for key in keys)
            renamed = tuple((re.compile(key), to) for key, to in (renames or {}).items())
        except re.error as error:
            raise ValueError(f"weights {name}: a pattern cannot be read: {error}") from None
        if not known:
            raise ValueError(f"weights {name}: no key says by what it is recognised")
        self.layouts[name] = Layout(name, target, self._plugin, known, renamed, convert, source, back, names)


def _folder(folder: str | Path) -> Path:
    """A folder of models: a path, or the name of a package that holds it."""
    path = Path(folder)
    if not path.is_dir() and isinstance(folder, str) and re.fullmatch(r"[\w.]+", folder):
        spec = _find_without_import(folder)
        if spec is not None and spec.submodule_search_locations:
            path = Path(next(iter(spec.submodule_search_locations)))
    if not path.is_dir():
        raise ValueError(f"there is no folder of models at '{folder}'")
    return path.resolve()
