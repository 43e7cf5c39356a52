"""Composition: any generator, discriminator, adversarial loss and regularizer meet, with no Python.

All pairs of networks are checked on the meta device with every loss and with every regularizer; a covering set, in
which every pair of choices occurs, trains two steps; the slow suite checks and trains every cell. What is refused
stands in ``refused.yaml`` with its reason.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ganzoo import api
from ganzoo.errors import UserError
from ganzoo.model.calls import call_signature
from ganzoo.model.factory import arguments
from ganzoo.registry import plugins
from ganzoo.testing.inputs import small
from tests.zoo import trainer

REFUSED = Path(__file__).parent / "refused.yaml"
REGISTRY = plugins.installed()
BASE = """
extends: base/unconditional.yaml
data: {use: data.random, count: 16, fields: {real: {kind: image, shape: [3, 32, 32]}}}
parts: {Z: {use: prior.normal, size: 8}}
show: []
train: {batch: 4, log_every: 1}
"""


def names(kind: str) -> list[str]:
    return [entry.id for entry in REGISTRY if entry.kind == kind and entry.plugin.dist == "ganzoo"]


def mounts(name: str) -> list[str]:
    """The ways in which a regularizer or augmentation can be put on a model, as ``name@way``."""
    entry = REGISTRY.find(name)
    factory = entry.load()
    found = []
    if entry.kind == "regularizer" and "__call__" in vars(factory):
        found.append("penalty")
    found += [way for way, method in (("after", "after_step"), ("with", "attach")) if hasattr(factory, method)]
    return [f"{name}@{way}" for way in found]


GENERATORS, DISCRIMINATORS, LOSSES = names("generator"), names("discriminator"), names("adversarial")
REGULARIZERS = ["none", *(m for kind in ("regularizer", "augment") for n in names(kind) for m in mounts(n))]


class Cell(NamedTuple):
    generator: str
    discriminator: str
    adversarial: str
    regularizer: str


CELLS = [Cell(*c) for c in itertools.product(GENERATORS, DISCRIMINATORS, LOSSES, REGULARIZERS)]


@cache
def narrow(name: str) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in small(REGISTRY.find(name).load()).items()}


def penalty(name: str) -> str:
    """The term that a penalty makes, by the names of its parameters."""
    meaning = {"critic": "D", "part": "D", "real": "real", "fake": "fake"}
    taken = call_signature(REGISTRY.find(name).load()(**{}))
    return f"reg({', '.join(meaning[p] for p in taken.parameters)})"


def overrides(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {
        "parts.G": {"use": cell.generator, **narrow(cell.generator)},
        "parts.D": {"use": cell.discriminator, **narrow(cell.discriminator)},
        "parts.adv": cell.adversarial,
    }
    if "x" in inspect.signature(REGISTRY.find(cell.generator).load().forward).parameters:
        found["flow.fake"] = "G(real)"  # it makes images of images
    if cell.regularizer != "none":
        name, way = cell.regularizer.split("@")
        if way == "penalty":
            found |= {"parts.reg": name, "players.D.minimize.reg": penalty(name)}
        elif way == "after":
            found["players.D.after"] = {"reg": name}
        else:
            found["parts.D"]["with"] = {"reg": name}
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix") / "base.yaml"
    path.write_text(BASE)
    return path


def refusal(cell: Cell, base: Path) -> str | None:
    """Why a cell is refused at check time, or None. Anything but a UserError is a defect."""
    try:
        api.Model(base, overrides(cell)).check()
    except UserError as error:
        return error.problems[0].message
    return None


def listed(cell: Cell) -> str | None:
    """The reason that ``refused.yaml`` gives for a cell."""
    for entry in yaml.safe_load(REFUSED.read_text()) or []:
        if all(value in cell for value in entry["cells"]):
            return entry["reason"]
    return None


def cells_of(generator: str, discriminator: str) -> list[Cell]:
    """All of two networks; where these two are refused by themselves, one that shows it."""
    cells = [cell for cell in CELLS if cell[:2] == (generator, discriminator)]
    entries = yaml.safe_load(REFUSED.read_text()) or []
    return cells[:1] if any(set(e["cells"]) <= {generator, discriminator} for e in entries) else cells


def is_as_listed(cell: Cell, base: Path) -> None:
    found, expected = refusal(cell, base), listed(cell)
    assert (found is None) == (expected is None), f"{cell}: {found}"
    if expected is not None and found is not None:
        assert expected in found, f"{cell}: refused because {found}, listed because {expected}"


@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
@pytest.mark.parametrize("generator", GENERATORS)
def test_networks_are_checked_or_refused_for_the_listed_reason(generator: str, discriminator: str, base: Path) -> None:
    """With every loss, and with every regularizer; the slow suite has every loss with every regularizer."""
    for cell in cells_of(generator, discriminator):
        if cell.adversarial == LOSSES[0] or cell.regularizer == "none":
            is_as_listed(cell, base)


@pytest.mark.slow
@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
@pytest.mark.parametrize("generator", GENERATORS)
def test_every_cell_is_checked_or_refused_for_the_listed_reason(generator: str, discriminator: str, base: Path) -> None:
    for cell in cells_of(generator, discriminator):
        is_as_listed(cell, base)


def test_what_is_listed_as_refused_exists() -> None:
    for entry in yaml.safe_load(REFUSED.read_text()) or []:
        assert any(all(value in cell for value in entry["cells"]) for cell in CELLS), entry


def covering() -> Iterator[Cell]:
    """Cells in which every pair of choices of two kinds occurs, chosen greedily."""
    allowed = [cell for cell in CELLS if listed(cell) is None]

    def pairs(cell: Cell) -> set[tuple[Any, ...]]:
        return {(i, j, cell[i], cell[j]) for i, j in itertools.combinations(range(len(cell)), 2)}

    missing = set().union(*map(pairs, allowed))
    while missing:
        best = max(allowed, key=lambda cell: len(pairs(cell) & missing))
        missing -= pairs(best)
        yield best


@pytest.mark.parametrize("cell", list(covering()), ids=lambda cell: "-".join(x.split(".")[-1] for x in cell))
def test_covering_cells_train(cell: Cell, base: Path) -> None:
    train_two_steps(cell, base)


def train_two_steps(cell: Cell, base: Path) -> None:
    tr = trainer(api.Model(base, overrides(cell)))
    tr.advance()
    tr.advance()
    losses = tr.meters.read()
    assert losses
    assert all(map(math.isfinite, losses.values())), losses
    assert tr.finite()


@pytest.mark.slow
@pytest.mark.parametrize("generator", GENERATORS)
def test_every_cell_trains(generator: str, base: Path) -> None:
    for cell in CELLS:
        if cell.generator == generator and listed(cell) is None:
            train_two_steps(cell, base)


def test_every_choice_is_in_the_matrix() -> None:
    assert {*GENERATORS, *DISCRIMINATORS, *LOSSES} <= {part for cell in CELLS for part in cell}
    assert len(CELLS) == len(GENERATORS) * len(DISCRIMINATORS) * len(LOSSES) * len(REGULARIZERS)
    assert not arguments(REGISTRY.find("prior.normal").load())["size"].is_fact
