"""A short hash of the code of a component, so that numbers can say which code made them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ganzoo.registry.components import Entry
from ganzoo.registry.source import source_of


def code_of(entry: Entry) -> str:
    """16 digits of the SHA-256 of a component's module, with the modules of its own package that it imports.

    Comments and layout count, and so does all else in these modules: equal hashes mean equal code, different hashes
    mean that a look is needed. A component without a module file is hashed by its own source.
    """
    target = entry.load()
    module = inspect.getmodule(target)
    file = getattr(module, "__file__", None)
    if module is None or file is None or Path(file).suffix != ".py":
        return _short(source_of([entry], "").encode())
    return _of_module(module.__name__)


@lru_cache
def _of_module(name: str) -> str:
    texts: dict[str, bytes] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        text = None if module in texts else _text(module)
        if text is not None:
            texts[module] = text
            waiting += [found for found in _imports(text, module) if found.split(".")[0] == name.split(".")[0]]
    return _short(b"".join(module.encode() + b"\0" + texts[module] + b"\0" for module in sorted(texts)))


def _text(module: str) -> bytes | None:
    """The source of a module, or nothing where it is no Python file, such as a class that is imported from one."""
    known = sys.modules.get(module)
    try:
        spec = importlib.util.find_spec(module) if known is None else None
    except (ImportError, ValueError, AttributeError):
        return None
    file = getattr(known, "__file__", None) or (spec.origin if spec is not None else None)
    return Path(file).read_bytes() if file is not None and file.endswith(".py") and Path(file).is_file() else None


def _imports(text: bytes, module: str) -> Iterator[str]:
    package = module if _is_package(module) else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _is_package(module: str) -> bool:
    return hasattr(sys.modules.get(module), "__path__")


def _short(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]
