"""What stands where in a model file: components, terms, and mappings whose keys the user names."""

from __future__ import annotations

import re
from functools import lru_cache

from ganzoo.config.tree import MISSING, Node, Path_
from ganzoo.errors import Problem, did_you_mean

_ENTRIES = (
    ("parts",),
    ("parts", "*", "with"),
    ("flow",),
    ("players",),
    ("players", "*", "minimize"),
    ("players", "*", "after"),
    ("phases",),
    ("log",),
    ("evaluate", "values"),
    ("plugins",),
)
_COMPONENTS = (
    ("data",),
    ("evaluate", "against"),
    ("optimizer",),
    ("schedule",),
    ("schedule", "*"),
    ("parts", "*"),
    ("parts", "*", "with", "*"),
    ("players", "*", "optimizer"),
    ("players", "*", "schedule"),
    ("players", "*", "schedule", "*"),
    ("players", "*", "after", "*"),
    ("players", "*", "minimize", "*", "weight"),
)
_SHORT = {
    ("players", "*", "minimize", "*"): "of",
    ("players", "*", "ema"): "decay",
    ("train", "keep"): "last",
    ("show",): "values",
}
_WHOLE = re.compile(r"\$\{[^{}]*\}")  # a text that is one interpolation, which may stand for a mapping
_LISTS = (("share",), ("extends",), ("requires",), ("show", "values"), ("players", "*", "trains"))


@lru_cache(maxsize=10_000)
def _at(path: Path_, patterns: tuple[Path_, ...]) -> Path_ | None:
    if path[:1] == ("phases",) and path[2:3] == ("players",):
        path = path[2:]  # a phase's players read like the top-level ones
    for pattern in patterns:
        if len(pattern) == len(path) and all(p in ("*", key) for p, key in zip(pattern, path, strict=True)):
            return pattern
    return None


def holds_entries(path: Path_) -> bool:
    """True where keys are names that the user chose: entries may be added, and `null` deletes one."""
    return _at(path, _ENTRIES) is not None


def is_component(path: Path_, node: Node | None = None) -> bool:
    """True where a component stands. ``schedule`` may also be a mapping of schedules, one a hyperparameter."""
    if path[-1:] == ("schedule",) and node is not None and isinstance(node.value, dict) and "use" not in node.value:
        return False
    return _at(path, _COMPONENTS) is not None


def normalise(node: Node, path: Path_ = ()) -> Node:
    """Short forms written out: ``D: discriminator.mlp`` as ``{use: …}``, ``adv: expr`` as ``{of: …}``, and so on."""
    if isinstance(node.value, str) and _WHOLE.fullmatch(node.value):
        return node  # what it stands for is normalised once it is known
    if not isinstance(node.value, dict):
        short = _at(path, tuple(_SHORT))
        own = path[-2:-1] == ("schedule",) and (path[-1] == "use" or "schedule." not in str(node.value))
        if is_component(path) and isinstance(node.value, str) and not node.missing and not own:
            node = Node({"use": node}, node.origin)
        elif short is not None and node.value is not None and not node.missing:
            node = Node({_SHORT[short]: node}, node.origin)
        elif _at(path, _LISTS) and not isinstance(node.value, list) and node.value is not None:
            return Node([node], node.origin)
    if isinstance(node.value, dict):
        return Node({key: normalise(child, (*path, key)) for key, child in node.value.items()}, node.origin)
    return node


def merge(base: Node | None, over: Node, path: Path_ = ()) -> Node:
    """`over` merged onto `base`, both normalised.

    Mappings merge; a changed ``use:`` replaces the whole node; ``null`` deletes an entry of a mapping of entries, and
    stays in its place until :func:`prune`, for a file that extends this one may bring the entry back.
    Keys keep the base's order, unless `over` names every one of them, as a file that reorders the players does.
    """
    if not isinstance(over.value, dict):
        return over
    replaced = base is None or not isinstance(base.value, dict) or _use(base) != _use(over, _use(base))
    merged = {} if replaced else dict(base.value)  # type: ignore[union-attr]
    if merged and set(merged) <= set(over.value):
        merged = {key: merged.get(key) for key in over.value}
    for key, child in over.value.items():
        old = merged.get(key)
        if child.value is None and holds_entries(path):
            there = old is not None and (old.value is not None or old.deletes)
            merged[key] = Node(None, child.origin, deletes=child.deletes or there)
        else:
            merged[key] = merge(old, child, (*path, key))
    return Node(merged, over.origin)


def prune(node: Node, path: Path_, problems: list[Problem], inside: bool = False) -> None:
    """Take out the entries that a ``null`` deletes.

    What a phase deletes from a player counts once the two are merged; then `inside` is set.
    """
    if not isinstance(node.value, dict):
        return
    for key, child in list(node.value.items()):
        if child.deletes:
            del node.value[key]
        elif child.value is None and holds_entries(path):
            near = did_you_mean(key, set(node.value) - {key})
            playing = path[0] == "phases" and path[-1] == "players"
            hint = near or (f"`{key}: {{}}` lets it play as it is" if playing else "give it a value")
            problems.append(Problem(f"there is no '{key}' to delete", child.origin, ".".join((*path, key)), hint))
            node.value[key] = Node(MISSING, child.origin, reported=True)
        elif inside or not (path[:1] == ("phases",) and path[2:] == ("players",)):
            prune(child, (*path, key), problems, inside)


def settle(tree: Node) -> None:
    """Take out what phases delete from themselves alone: a `null` stays only where the player has such an entry.

    Written down and read again, it would delete what is nowhere.
    """
    for phase in _children(tree.get("phases")).values():
        for name, over in _children(phase.get("players")).items():
            _settle(over, tree.get("players", name))


def _settle(over: Node, base: Node | None) -> None:
    for key, child in _children(over).items():
        below = _children(base).get(key)
        if child.deletes and below is None:
            del over.value[key]
        else:
            _settle(child, below)


def _children(node: Node | None) -> dict[str, Node]:
    return dict(node.value) if node is not None and isinstance(node.value, dict) else {}


def _use(node: Node, default: object = None) -> object:
    use = node.value.get("use")
    return use.value if use is not None else default
