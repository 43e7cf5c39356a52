"""YAML 1.2 read into a tree that knows its lines, with a message for each of the usual accidents."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from ganzoo.config.tree import MISSING, Node, Path_
from ganzoo.errors import Origin, Problem, UserError

_DEEPEST = 100  # levels; nobody reads more, and no walk over a model runs out of stack
_TORN = 100  # pieces of a text that commas can have torn apart
_LARGEST = 100_000  # values in a file, those that aliases stand for counted each time


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's scalars: ``on``, ``no`` and ``012`` are what they look like, ``1e-4`` is a number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_DIGITS = "[0-9]+(_[0-9]+)*"
for _tag, _pattern, _first in (
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", f"[-+]?{_DIGITS}", list("-+0123456789")),
    (
        "float",
        rf"[-+]?({_DIGITS}\.({_DIGITS})?|\.[0-9]+|{_DIGITS}(?=[eE]))([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.nan|\.NaN|\.NAN",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)
RESOLVERS = _Loader.yaml_implicit_resolvers


def read_file(path: Path, problems: list[Problem]) -> Node:
    """Read one YAML file. What can be read in spite of a problem is read, and the problem noted.

    Raises:
        UserError: it cannot be read, is not YAML, or is not a mapping.
    """
    origin = Origin(_display(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(Problem("is not UTF-8 text", Origin(origin.file, line), hint="save it as UTF-8")) from None
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror}", origin)) from None
    node = _parse(text, origin, None, problems)
    if not isinstance(node.value, dict):
        raise UserError(Problem("a model is a mapping (data:, parts:, flow:, players:)", node.origin))
    return node


def read_value(text: str, origin: Origin) -> Node:
    """Read the right-hand side of an override such as ``[0, 1]`` or ``1e-4``; every part keeps `origin`.

    Raises:
        UserError: it is not YAML, or empty.
    """
    if not text.strip():
        raise UserError(Problem("gives no value", origin, hint="write null for nothing, '' for an empty text"))
    problems: list[Problem] = []
    node = _parse(text, origin, origin, problems)
    if problems:
        raise UserError(problems)
    return node


def _display(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _parse(text: str, origin: Origin, fixed: Origin | None, problems: list[Problem]) -> Node:
    """Text as a tree. `fixed` is the one origin that everything gets, where there are no lines."""
    if _nested(text):
        raise UserError(Problem("is nested too deeply", origin))
    loader = None
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        if tree is not None and "&" in text and _size(tree, {}) > _LARGEST:
            message = f"its aliases (*name) stand for more than {_LARGEST:,} values"
            raise UserError(Problem(message, origin, hint="write what is needed, or use `extends:`"))
        return _Builder(origin, fixed, problems).build(tree, ()) if tree is not None else Node(None, origin)
    except yaml.YAMLError as error:
        raise UserError(_not_yaml(error, text, origin, fixed)) from None
    except (RecursionError, UnicodeEncodeError) as error:
        what = "is nested too deeply" if isinstance(error, RecursionError) else "holds half a character"
        raise UserError(Problem(f"not valid YAML: it {what}", origin)) from None
    finally:
        if loader is not None:
            loader.dispose()


def _nested(text: str) -> bool:
    """Whether brackets nest so deeply that the C parser would overflow its stack."""
    depth = deepest = 0
    if text.count("[") + text.count("{") > _DEEPEST:
        for character in text:
            depth += (character in "[{") - (character in "]}")
            deepest = max(deepest, depth)
    return deepest > _DEEPEST or re.search(rf"([-?:] ){{{_DEEPEST}}}", text) is not None


def _size(tree: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node holds, with what its aliases stand for; a circle counts once, for it is refused later."""
    if isinstance(tree, yaml.ScalarNode):
        return 1
    if id(tree) not in known:
        known[id(tree)] = 1
        pairs = tree.value if isinstance(tree, yaml.MappingNode) else [(child,) for child in tree.value]
        known[id(tree)] += sum(_size(child, known) for pair in pairs for child in pair)
    return known[id(tree)]


def _not_yaml(error: yaml.YAMLError, text: str, origin: Origin, fixed: Origin | None) -> Problem:
    mark, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    message = getattr(error, "problem", None) or str(error).split("\n")[0]
    if mark is None:  # a character that YAML has no place for
        number = text[: getattr(error, "position", 0)].count("\n") + 1
        return Problem(f"not valid YAML: {message}", fixed or Origin(origin.file, number))
    lines = [*text.split("\n"), ""]
    line = lines[min(mark.line, len(lines) - 1)]
    at = line[mark.column : mark.column + 1]
    hint = ""
    if "\t" in line[: mark.column + 1]:
        message, hint = "a tab in the indentation", "indent with spaces"
    elif "mapping values are not allowed" in message:
        message = "a ':' where none can stand"
        hint = "is one missing on the line above, or the indentation off?"
        if ": " in line[: mark.column]:
            hint = "quote a text that holds ': '"
    elif "could not find expected ':'" in message and begun is not None:
        mark, message = begun, "a ':' is missing after this key"
    elif "alias" in message or "expected alphabetic" in message:
        message, hint = "a name after * or & refers to another place", "quote a text that begins with *"
    elif MISSING in line:
        message, hint = f"{MISSING} inside brackets", f"write '{MISSING}' in quotes, or use block style"
    elif "cannot start any token" in message:
        message, hint = f"a text cannot begin with {at}", "quote it"
    elif "expected key" in message or "indicator" in message or "<block end>" in message:
        hint = "the indentation does not fit the lines above"
    elif "end of stream" in message and begun is not None:
        message = f"the quote that opens on line {begun.line + 1} is never closed"
    elif "another document" in message:
        message, hint = "a second document begins", "one file holds one model"
    elif "did not find expected ','" in message and begun is not None:
        bracket = message[-2]
        message = f"expected ',' or '{bracket}' in what line {begun.line + 1} opens"
        hint = "close it, or quote an expression that holds a comma or brackets"
    return Problem(f"not valid YAML: {message}", fixed or Origin(origin.file, mark.line + 1), hint=hint)


class _Builder:
    """Turns PyYAML's nodes into ours; `problems` grows."""

    def __init__(self, origin: Origin, fixed: Origin | None, problems: list[Problem]):
        self.file, self.fixed, self.problems = origin.file, fixed, problems
        self.above: set[int] = set()

    def origin(self, tree: yaml.Node) -> Origin:
        return self.fixed or Origin(self.file, tree.start_mark.line + 1)

    def problem(self, message: str, tree: yaml.Node, path: Path_, hint: str = "") -> None:
        self.problems.append(Problem(message, self.origin(tree), ".".join(path), hint))

    def build(self, tree: Any, path: Path_) -> Node:
        """One node with all below it; what may not stand in a model file is noted, and left missing."""
        origin = self.origin(tree)
        if len(path) > _DEEPEST:
            raise UserError(Problem("is nested too deeply", origin))
        name = tree.tag.removeprefix("tag:yaml.org,2002:")
        if name not in ("map", "seq", "null", "bool", "int", "float", "str"):
            self.problem(f"the tag {tree.tag.replace('tag:yaml.org,2002:', '!!')} is not allowed", tree, path)
            return Node(MISSING, origin, reported=True)
        if isinstance(tree, yaml.ScalarNode):
            try:
                return Node(_scalar(name, tree.value), origin)
            except ValueError as error:
                self.problem(str(error), tree, path)
                return Node(MISSING, origin, reported=True)
        if id(tree) in self.above:
            self.problem("the alias stands inside what it stands for", tree, path)
            return Node(MISSING, origin, reported=True)
        self.above.add(id(tree))
        try:
            if isinstance(tree, yaml.MappingNode):
                return Node(self.mapping(tree, path), origin)
            items = self.joined_items(tree.value, path) if tree.flow_style else tree.value
            return Node([self.build(item, (*path, str(i))) for i, item in enumerate(items)], origin)
        finally:
            self.above.discard(id(tree))

    def mapping(self, tree: yaml.MappingNode, path: Path_) -> dict[str, Node]:
        """The entries of a mapping, each at the line of its key."""
        found: dict[str, Node] = {}
        for key_node, value_node in self.joined_pairs(tree.value, path) if tree.flow_style else tree.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem("a key must be a plain word", key_node, path)
                continue
            key, where = str(key_node.value), self.origin(key_node)
            if key == "<<":
                self.problem("merge keys are not supported", key_node, path, "use `extends:` or `${path}`")
                continue
            if key in found:
                message = f"'{key}' is given twice, first on line {found[key].origin.line}"
                self.problem(message, key_node, (*path, key))
            child = self.build(value_node, (*path, key))
            child.origin = where
            found[key] = child
        return found

    # In flow style, `{adv: adv.d(D(real), D(fake))}` holds two keys, `adv` and `D(fake))`. Put together what belongs
    # together, and say so.

    def joined_pairs(self, pairs: list[tuple[yaml.Node, yaml.Node]], path: Path_) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs of a mapping in flow style, those put together that an unquoted comma tore apart."""
        result, at = [], 0
        while at < len(pairs):
            (key, value), at = pairs[at], at + 1
            following = takewhile(
                lambda pair: all(map(_is_plain, pair)) and pair[1].value == "", pairs[at : at + _TORN]
            )
            if pieces := _torn(value, (k.value for k, _ in following)):
                value = self.join(value, pieces, (*path, str(key.value)))
                at += len(pieces)
            result.append((key, value))
        return result

    def joined_items(self, items: list[yaml.Node], path: Path_) -> list[yaml.Node]:
        """The same for the items of a list."""
        result, at = [], 0
        while at < len(items):
            item, at = items[at], at + 1
            following = takewhile(_is_plain, items[at : at + _TORN])
            if pieces := _torn(item, (i.value for i in following)):
                item = self.join(item, pieces, path)
                at += len(pieces)
            result.append(item)
        return result

    def join(self, first: yaml.Node, pieces: list[str], path: Path_) -> yaml.ScalarNode:
        """The text that was torn apart, whole again, and a problem that says so."""
        text = ", ".join([first.value, *pieces])
        message = f"an unquoted comma inside brackets tears `{text}` apart"
        self.problem(message, first, path, "quote it, or use block style")
        return yaml.ScalarNode("tag:yaml.org,2002:str", text, first.start_mark, first.end_mark)


def _is_plain(tree: yaml.Node) -> bool:
    return isinstance(tree, yaml.ScalarNode) and not tree.style


def _torn(tree: yaml.Node, following: Iterable[str]) -> list[str]:
    """Those of the following texts that belong to one whose brackets are still open."""
    opened, pieces = _opened(tree.value) if _is_plain(tree) else 0, []
    for piece in following if opened > 0 else ():
        opened += _opened(piece)
        pieces.append(piece)
        if opened <= 0:
            return pieces
    return []


def _opened(text: str) -> int:
    """How many brackets a text leaves open."""
    return text.count("(") - text.count(")")


def _scalar(tag: str, text: str) -> Any:
    """A scalar as Python.

    Raises:
        ValueError: the text does not fit the tag, or is a number too large to hold.
    """
    plain = text.replace("_", "")
    try:
        if tag == "int":
            return int(plain)
        if tag == "bool":
            return {"true": True, "false": False}[text.lower()]
        if tag == "float":
            sign = -1.0 if plain.startswith("-") else 1.0
            special = {"inf": math.inf, "nan": math.nan}.get(plain.lstrip("+-").lower().lstrip("."))
            value = float(plain) if special is None else sign * special
            if special is None and math.isinf(value):
                raise ValueError
            return value
    except (ValueError, KeyError):
        small = text if len(text) < 40 else f"{text[:37]}…"
        raise ValueError(f"{small} is no number that can be held; quote it if it is a text") from None
    return None if tag == "null" else text
