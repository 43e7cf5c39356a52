"""The source of components that were defined in a notebook or a script, as a file that defines them again."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterable
from contextlib import suppress
from types import ModuleType
from typing import Any

from ganzoo.registry.components import Entry

_HEADER = '''"""The components of this run that no plugin has, as they were when it was trained.

To open the run elsewhere: --code {file}. Read it first: ganzoo never runs it on its own.
"""

from __future__ import annotations

'''


def source_of(entries: Iterable[Entry], file: str) -> str:
    """A Python file that registers these components again: what they need is imported or copied.

    What cannot be had, such as the source of something typed at a prompt that keeps no history, is named in a comment.
    """
    collected = _Collected()
    for entry in entries:
        collected.add(entry.target)
        decorated = f'@ganzoo.component("{entry.id}")'
        name = getattr(entry.target, "__name__", entry.name)
        if decorated not in collected.pieces.get(name, decorated) or name not in collected.pieces:
            collected.after.append(f'ganzoo.component("{entry.id}")({name})')
    imports = sorted({"import ganzoo", *collected.imports})
    pieces = [*collected.pieces.values(), *collected.after]
    return _HEADER.format(file=file) + "\n".join(imports) + "\n\n\n" + "\n\n\n".join(pieces) + "\n"


class _Collected:
    """Imports and definitions in an order in which each has what it needs."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.pieces: dict[str, str] = {}
        self.after: list[str] = []

    def add(self, target: Any) -> None:
        """A class or function, after all that its text reads."""
        name = target.__name__
        if name in self.pieces:
            return
        text = _text(target)
        if text is None:
            self.pieces[name] = f"# the source of {name} is not at hand: define it here"
            return
        self.pieces[name] = ""  # it may name itself
        home = vars(sys.modules[target.__module__]) if target.__module__ in sys.modules else {}
        known = getattr(target, "__globals__", None) or _globals_of(target) or home
        for used in dict.fromkeys(n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)):
            if used in known and used not in ("ganzoo", name):
                self.need(used, known[used], target.__module__)
        del self.pieces[name]
        self.pieces[name] = text.rstrip()

    def need(self, name: str, value: Any, module: str) -> None:
        """Something that a definition reads: imported from where it lives, or copied if it lives beside it."""
        if isinstance(value, ModuleType):
            whole = value.__name__
            self.imports.add(f"import {whole}" if whole == name else f"import {whole} as {name}")
        elif getattr(value, "__module__", None) == module and callable(value) and hasattr(value, "__name__"):
            self.add(value)
        elif hasattr(value, "__module__") and hasattr(value, "__name__"):
            renamed = "" if value.__name__ == name else f" as {name}"
            self.imports.add(f"from {value.__module__} import {value.__name__}{renamed}")
        elif isinstance(value, bool | int | float | str | tuple | list | dict) or value is None:
            self.pieces[name] = f"{name} = {value!r}"


def _text(target: Any) -> str | None:
    """The source of a class or function with its decorators; of a class in a notebook's cell by that of its methods."""
    with suppress(OSError, TypeError):
        return textwrap.dedent(inspect.getsource(target))
    files = [m.__code__.co_filename for m in vars(target).values() if inspect.isfunction(m)]
    for file in dict.fromkeys(files):
        lines = linecache.getlines(file)
        for node in ast.parse("".join(lines)).body if lines else ():
            if isinstance(node, ast.ClassDef) and node.name == target.__name__:
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                return "".join(lines[first - 1 : node.end_lineno])
    return None


def _globals_of(target: Any) -> dict[str, Any] | None:
    """The globals in which a class was defined: those of any of its methods."""
    methods = (member for member in vars(target).values() if inspect.isfunction(member))
    return next((method.__globals__ for method in methods), None)
