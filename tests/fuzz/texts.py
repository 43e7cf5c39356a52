"""Expressions, model files and overrides: nothing here builds a network."""

from __future__ import annotations

import contextlib
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from ganzoo import config
from ganzoo.config import compose
from ganzoo.config.expression import (
    Attr,
    Call,
    Const,
    Expr,
    ExpressionError,
    Name,
    Scaled,
    Seq,
    called,
    has_hole,
    names,
    parse,
    root,
    walk,
)
from ganzoo.config.expression import arguments as arguments_of
from ganzoo.config.tree import Node
from ganzoo.config.yaml12 import read_file
from ganzoo.errors import UserError
from ganzoo.registry import Registry, plugins
from tests.fuzz import mutate
from tests.fuzz.engine import Target

BASES = ("wgan_gp/wgan_gp", "dcgan/fashion", "cgan/cgan", "tutorial/fashion", "srgan/srgan", "cyclegan/cyclegan")
HEADS = ("use", "extends", "data", "parts", "flow", "players", "phases", "train", "optimizer", "share", "show", "log")


@cache
def registry() -> Registry:
    return plugins.installed()


@cache
def files() -> list[Path]:
    """Every model file of the zoo, bases included."""
    return [path for _, folder in registry().folders for path in sorted(folder.glob("**/*.yaml"))]


@cache
def sources() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in files()]


@cache
def lines() -> list[str]:
    """Every line of every model file, once."""
    return sorted({line for text in sources() for line in text.split("\n") if line.strip()})


@cache
def trees() -> list[Any]:
    return [read_file(path, []).plain() for path in files()]


@cache
def leaves() -> list[Any]:
    """Every value of every model file, and some mappings and lists."""
    found: dict[str, Any] = {}
    stack = list(trees())
    while stack:
        value = stack.pop()
        found[json.dumps(value, default=str)[:2000]] = value
        stack += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [found[key] for key in sorted(found)]


@cache
def expressions() -> list[str]:
    """Every text of every model file that is an expression and more than a name."""
    found = set()
    for value in leaves():
        if isinstance(value, str):
            try:
                if not isinstance(parse(value), Name | Const):
                    found.add(value)
            except ExpressionError:
                pass
    return sorted(found)


@cache
def pieces() -> list[Expr]:
    """Every part of every expression."""
    return list(dict.fromkeys(piece for text in expressions() for piece in walk(parse(text))))


def grown(random: Random, deepest: int = 4) -> Expr:
    """A new expression, of pieces of others."""
    if deepest == 0 or random.random() < 0.3:
        return random.choice(pieces())
    how = random.randrange(6)
    if how <= 2:
        args = tuple(grown(random, deepest - 1) for _ in range(random.randrange(4)))
        named = {random.choice("abxyz"): grown(random, deepest - 1) for _ in range(random.randrange(2))}
        return Call(random.choice((Name("G"), Name("D"), Attr(Name("E"), "f"))), args, tuple(named.items()))
    if how == 3:
        return Attr(random.choice((Name("c"), Call(Name("D"), (grown(random, deepest - 1),)))), random.choice("xyz"))
    if how == 4:
        return Seq(tuple(grown(random, deepest - 1) for _ in range(random.randrange(4))))
    return Scaled(random.choice((1, -2, 0.5, 1e9)), grown(random, deepest - 1))


def an_expression(random: Random) -> str:
    if random.random() < 0.3:
        return mutate.text(str(grown(random)), random, expressions(), 2)
    return mutate.text(random.choice(expressions()), random, expressions())


def read_expression(text: str, folder: Path | None = None) -> None:
    """What was parsed is of known kinds only, and reads back equal."""
    expr = parse(text)
    for piece in walk(expr):
        assert type(piece) in (Const, Name, Attr, Call, Seq, Scaled)
        assert not isinstance(piece, Const) or type(piece.value) in (int, float, str, bool, type(None))
    names(expr), called(expr), root(expr), has_hole(expr), arguments_of(expr)
    assert parse(str(expr)) == expr


def a_config(random: Random) -> str:
    """A model file: lines changed, or a tree changed and written in YAML's flow style."""
    if random.random() < 0.6:
        return mutate.lines(random.choice(sources()), random, lines())
    tree = json.loads(json.dumps(random.choice(trees()), default=str))
    for _ in range(random.randint(1, 3)):
        tree = _regrown(tree, random)
    return json.dumps(tree, indent=random.choice((None, 1)))


def _regrown(tree: Any, random: Random) -> Any:
    """A tree with one node changed."""
    if not isinstance(tree, dict | list) or not tree or random.random() < 0.15:
        how = random.randrange(4)
        if how == 0:
            return random.choice(leaves())
        if how == 1:
            return random.choice(mutate.ODD)
        if how == 2:
            return an_expression(random)
        return {random.choice(HEADS): tree}
    key = random.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
    how = random.randrange(8)
    if how == 0:
        del tree[key]
    elif how == 1 and isinstance(tree, dict):
        tree[random.choice((*HEADS, *tree, *mutate.ODD[:20]))] = tree.pop(key)
    elif how == 2 and isinstance(tree, dict):
        tree[random.choice(HEADS)] = random.choice(leaves())
    else:
        tree[key] = _regrown(tree[key], random)
    return tree


def read_config(text: str, folder: Path) -> None:
    """Read, compose, check statically, and check every component's arguments against its signature."""
    path = folder / "model.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    check(config.load(path, (), registry()))


def check(spec: Any) -> None:
    from ganzoo.model.blueprint import load_factories

    load_factories(spec)


@cache
def paths() -> list[str]:
    """Every path of every model file, as overrides name them."""
    found = set()
    for path in files():
        for keys, _ in read_file(path, []).leaves():
            found |= {".".join(keys[:length]) for length in range(1, len(keys) + 1)}
    return sorted(found)


def an_override(random: Random) -> tuple[str, ...]:
    """A model's name, then overrides."""
    model = random.choice(BASES)
    if random.random() < 0.02:
        model = mutate.text(model, random, paths())
    found = [model]
    for _ in range(random.randint(1, 4)):
        value = random.choice(leaves())
        shown = value if isinstance(value, str) and random.random() < 0.7 else json.dumps(value, default=str)
        text = f"{random.choice(paths())}={shown}"
        found.append(mutate.text(text, random, paths(), 2) if random.random() < 0.7 else text)
    return tuple(found)


def read_overrides(case: tuple[str, ...], folder: Path | None = None) -> None:
    check(config.load(case[0], case[1:], registry()))


def prepare_expressions() -> None:
    pieces()


def prepare_configs() -> None:
    """Import every component once, so that no input pays for it."""
    prepare_expressions()
    paths(), lines()
    for path in files():
        with contextlib.suppress(UserError):
            check(config.load(path, (), registry()))
    _remember_bases()


def _remember_bases() -> None:
    """Read each file of the zoo once: they do not change, and what extends them is what is tested."""
    known: dict[Path, Node] = {}
    zoo = set(files())

    def remembered(path: Path, problems: list[Any]) -> Node:
        if path not in zoo:
            return read_file(path, problems)
        if path not in known:
            known[path] = read_file(path, [])
        return known[path].copy()

    compose.read_file = remembered  # type: ignore[attr-defined]


TARGETS = (
    Target("expressions", "the expression language", an_expression, read_expression, prepare_expressions),
    Target("configs", "model files: read, composed, checked", a_config, read_config, prepare_configs),
    Target("overrides", "overrides of the command line", an_override, read_overrides, prepare_configs),
)
