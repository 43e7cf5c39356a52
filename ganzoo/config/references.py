"""How much the references of a model stand for: ``${path}``, told before any of them is resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ganzoo.config.tree import Node, Path_

_PLAIN = re.compile(r"\$\{\s*([^${}:]*?)\s*\}")
_LARGEST = 300_000  # characters, with those that references stand for
_EACH = 30  # what it takes to resolve a reference, in characters
_KNOWN = ("oc.env", "oc.select", "oc.dict.keys", "oc.dict.values")  # not those that read a text as an expression
_SECRET = re.compile(
    "token|secret|passw|credential|private|(?<![a-z])auth(?![a-z])|(api|access|[_-]|^)key(?![a-z])|-pwd"
)
_COMPUTED = 8  # references whose target is not written out, and whose size is therefore not known


def too_many(tree: Node, pending: Iterable[tuple[Path_, Node]]) -> str:
    """Why the references of a model cannot all be resolved, or an empty string."""
    sizes = _Sizes(tree)
    try:
        total = sum(sizes.of(node, path) for path, node in pending)
    except RecursionError:
        return "one refers to another too many times in a row"
    if total > _LARGEST:
        return f"they stand for more than {_LARGEST:,} characters"
    return f"more than {_COMPUTED} are inside others or computed" if sizes.computed > _COMPUTED else ""


def refused(text: str) -> str:
    """What a text asks for that no model file may have, or an empty string.

    Libraries add functions of their own to OmegaConf, some of which evaluate Python; and the value of a variable stands
    in everything that a run writes, so that a file from elsewhere must not choose a secret.
    """
    for name, argument in _functions(text):
        if name not in _KNOWN:
            return f"unsupported interpolation type {name}"
        variable = argument.partition(",")[0].strip()
        if name == "oc.env" and not variable.isidentifier():
            return "the name of a variable has to be written out"
        if name == "oc.env" and _SECRET.search(variable.lower().replace("_", "-")):
            return f"{variable} looks like a secret, which would stand in the run's files"
    return ""


def _functions(text: str) -> Iterator[tuple[str, str]]:
    """The name and the arguments of every ``${name:arguments}``, of those inside others too."""
    begun: list[int] = []
    for at, character in enumerate(text):
        if text[at : at + 2] == "${":
            begun.append(at + 2)
        elif character == "{" and text[at - 1 : at] != "$":
            begun.append(-1)
        elif character == "}" and begun and (start := begun.pop()) >= 0 and ":" in text[start:at]:
            name, _, argument = text[start:at].partition(":")
            yield name.strip(), argument


class _Sizes:
    """How many characters a node holds with what it refers to; a circle counts once, for it is refused later."""

    def __init__(self, tree: Node):
        self.tree, self.known, self.computed = tree, dict[int, int](), 0

    def of(self, node: Node, path: Path_) -> int:
        """The characters of a node, with those of all that it refers to."""
        if id(node) in self.known:
            return self.known[id(node)]
        self.known[id(node)] = 1
        value = node.value
        if isinstance(value, dict):
            size = sum(self.of(child, (*path, key)) for key, child in value.items())
        elif isinstance(value, list):
            size = sum(self.of(child, (*path, str(index))) for index, child in enumerate(value))
        else:
            size = len(value) + self.referred(value, path) if isinstance(value, str) else 1
        self.known[id(node)] += size
        return self.known[id(node)]

    def referred(self, text: str, path: Path_) -> int:
        """What the references in a text stand for, in characters."""
        found = _PLAIN.findall(text)
        self.computed += text.count("${") - text.count("${oc.env:") - len(found)
        return sum(_EACH + self.target(name, path) for name in found)

    def target(self, name: str, path: Path_) -> int:
        """The characters that one reference stands for; 0 where there is nothing of its name."""
        dots = len(name) - len(name.lstrip("."))
        above = path[: len(path) - dots] if dots else ()
        steps = (*above, *filter(None, name[dots:].replace("[", ".").replace("]", "").split(".")))
        node = self.tree
        for step in steps:
            items = (
                {str(i): child for i, child in enumerate(node.value)} if isinstance(node.value, list) else node.value
            )
            if not isinstance(items, dict) or step not in items:
                return 0  # is refused later
            node = items[step]
        return self.of(node, steps)
