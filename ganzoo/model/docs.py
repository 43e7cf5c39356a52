"""What a docstring says: its text, and each argument."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_ARGUMENT = re.compile(r"    (\w[\w, ]*?)(?: \([^)]*\))?:\s+(.*)$")  # the type in brackets, as PyTorch writes it
_SECTION = re.compile(r"^(Args|Raises|Returns|Yields|Attributes):\s*$")


def text(factory: Callable[..., Any]) -> str:
    """The docstring up to the list of arguments, with its source."""
    kept, skipping = [], False
    for line in (inspect.getdoc(factory) or "").splitlines():
        if _SECTION.match(line):
            skipping = True
        elif line and not line.startswith(" "):
            skipping = False
        if not skipping:
            kept.append(line)
    return "\n".join(kept).strip()


def arguments(factory: Callable[..., Any]) -> dict[str, str]:
    """What the docstring says of each argument, on one line."""
    found: dict[str, str] = {}
    inside, name = False, ""
    for line in (inspect.getdoc(factory) or "").splitlines():
        if _SECTION.match(line):
            inside = line.startswith("Args")
        elif line and not line.startswith(" "):
            inside = False
        elif inside and (start := _ARGUMENT.match(line)):
            name = start[1]
            found[name] = start[2].strip()
        elif inside and name and line.strip():
            found[name] += f" {line.strip()}"
    return {one.strip(): said for names, said in found.items() for one in names.split(",")}
