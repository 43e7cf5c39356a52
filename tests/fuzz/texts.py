"""Expressions, model files and overrides: nothing here builds a network."""

from __future__ import annotations

import contextlib
import json
import os
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


@cache
def alike() -> dict[str, list[Any]]:
    """What stands under a key anywhere in the zoo, by the key, each once; and all components of a kind, by the kind."""
    found: dict[str, dict[str, Any]] = {}
    stack = list(trees())
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            for key, child in value.items():
                found.setdefault(key, {})[json.dumps(child, default=str)] = child
        stack += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    for entry in registry():
        found.setdefault(f"{entry.kind}.", {})[entry.id] = entry.id
    return {key: [values[text] for text in sorted(values)] for key, values in found.items()}


def a_config(random: Random) -> str:
    """A model file: lines changed, or a tree changed and written in YAML's flow style; half of all have one change."""
    if random.random() < 0.35:
        return mutate.lines(random.choice(sources()), random, lines(), random.choice((1, 1, 2, 4)))
    tree = json.loads(json.dumps(random.choice(trees()), default=str))
    for _ in range(random.choice((1, 1, 2, 4))):
        tree = _regrown(tree, random)
    return json.dumps(tree, indent=random.choice((None, 1)))


def _regrown(tree: Any, random: Random) -> Any:
    """A tree with one node changed, mostly to what stands under the same key elsewhere."""
    if not isinstance(tree, dict | list) or not tree or random.random() < 0.1:
        return _instead(tree, random)
    key = random.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
    how = random.randrange(10)
    if how == 0:
        del tree[key]
    elif how == 1 and isinstance(tree, dict):
        tree[random.choice((*HEADS, *tree, *mutate.ODD[:20]))] = tree.pop(key)
    elif how == 2 and isinstance(tree, dict):
        key = random.choice(HEADS)
        tree[key] = random.choice(alike().get(key, leaves()))
    elif how <= 4 and key in alike():
        tree[key] = random.choice(alike()[key])
    else:
        tree[key] = _regrown(tree[key], random)
    return tree


def _instead(value: Any, random: Random) -> Any:
    """What may stand in the place of a value: another component of its kind, another number, or anything."""
    how = random.randrange(8)
    if isinstance(value, str) and how < 4:
        kind = value.partition(".")[0] + "."
        return random.choice(alike()[kind]) if kind in alike() else mutate.text(value, random, expressions(), 2)
    if isinstance(value, int | float) and how < 4:
        return random.choice((0, -1, 1, 2, 3, value + 1, -value, value * 2, value / 2, 2**31, 2**63, 1e300, 0.5, True))
    if how == 4:
        return random.choice(mutate.ODD)
    if how == 5:
        return an_expression(random)
    if how == 6:
        return {random.choice(HEADS): value} if random.random() < 0.5 else [value]
    return random.choice(leaves())


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
    """Read and merge each file of the zoo once: they do not change, and what extends them is what is tested."""
    merged, known, zoo, models = compose._extended, dict[Path, Node](), set(files()), compose.models(registry())

    def remembered(path: Path, registry: Registry, chain: tuple[Path, ...], problems: list[Any]) -> Node:
        path = Path(os.path.normpath(path))
        if path not in zoo:
            return merged(path, registry, chain, problems)
        if path not in known:
            known[path] = merged(path, registry, (), [])
        return known[path].copy()

    compose._extended = remembered
    compose.models = lambda _: models


TARGETS = (
    Target("expressions", "the expression language", an_expression, read_expression, prepare_expressions),
    Target("configs", "model files: read, composed, checked", a_config, read_config, prepare_configs),
    Target("overrides", "overrides of the command line", an_override, read_overrides, prepare_configs),
)
