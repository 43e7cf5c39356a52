"""Composition: any generator, discriminator, adversarial loss and regularizer meet, with no Python.

Every generator meets every discriminator in a check, and each of them every loss; every discriminator meets every
regularizer, which are put on it, and every generator as many as there are losses. Two steps are trained by every
discriminator with a third of the regularizers, while generators and losses take turns; the slow suite checks and trains
every cell. What is refused stands in ``refused.yaml`` with its reason.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ganzoo.errors import UserError
from ganzoo.model.calls import call_signature
from ganzoo.registry import plugins
from ganzoo.testing.inputs import small
from tests.zoo import Small, trainer

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


def cells(generators: Iterable[str] = GENERATORS, discriminators: Iterable[str] = DISCRIMINATORS) -> Iterator[Cell]:
    """All cells of some networks."""
    return (Cell(*c) for c in itertools.product(generators, discriminators, LOSSES, REGULARIZERS))


@cache
def narrow(name: str) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in small(REGISTRY.find(name).load()).items()}


def penalty(name: str, source: str) -> dict[str, str]:
    """The term that a penalty makes, by the names of its parameters, for the player that it is about."""
    meaning = {"critic": "D", "part": "D", "real": "real", "fake": "fake", "generator": "G", "z": source}
    taken = call_signature(REGISTRY.find(name).load()(**{})).parameters
    player = "G" if "generator" in taken else "D"
    return {f"players.{player}.minimize.reg": f"reg({', '.join(meaning[p] for p in taken)})"}


def overrides(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {
        "parts.G": {"use": cell.generator, **narrow(cell.generator)},
        "parts.D": {"use": cell.discriminator, **narrow(cell.discriminator)},
        "parts.adv": cell.adversarial,
    }
    source = "z"
    if "x" in inspect.signature(REGISTRY.find(cell.generator).load().forward).parameters:
        source = "real"  # it makes images of images
        found["flow.fake"] = "G(real)"
    if cell.regularizer != "none":
        name, way = cell.regularizer.split("@")
        if way == "penalty":
            found |= {"parts.reg": name, **penalty(name, source)}
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
        Small(base, overrides(cell)).check()
    except UserError as error:
        return error.problems[0].message
    return None


@cache
def entries() -> list[dict[str, Any]]:
    return yaml.safe_load(REFUSED.read_text()) or []


def listed(cell: Cell) -> str | None:
    """The reason that ``refused.yaml`` gives for a cell."""
    return next((entry["reason"] for entry in entries() if all(set(names) & set(cell) for names in named(entry))), None)


def named(entry: dict[str, Any]) -> list[list[str]]:
    """The components that an entry is about: a name, or several of which one is enough."""
    return [value if isinstance(value, list) else [value] for value in entry["cells"]]


def is_as_listed(cell: Cell, base: Path) -> None:
    found, expected = refusal(cell, base), listed(cell)
    assert (found is None) == (expected is None), f"{cell}: {found}"
    if expected is not None and found is not None:
        assert expected in found, f"{cell}: refused because {found}, listed because {expected}"


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_meets_every_discriminator(generator: str, base: Path) -> None:
    """Those that are refused one by one, the others by eight in one model, which is quicker."""
    cells = [Cell(generator, discriminator, LOSSES[0], "none") for discriminator in DISCRIMINATORS]
    for cell in cells:
        if listed(cell) is not None:
            is_as_listed(cell, base)
    others = [cell.discriminator for cell in cells if listed(cell) is None]
    for start in range(0, len(others), 8):
        Small(base, against(generator, others[start : start + 8])).check()


def against(generator: str, discriminators: list[str]) -> dict[str, Any]:
    """Overrides by which one generator plays against several discriminators at once."""
    found = overrides(Cell(generator, discriminators[0], LOSSES[0], "none"))
    for number, name in enumerate(discriminators[1:], 1):
        d = f"D{number}"
        found[f"parts.{d}"] = {"use": name, **narrow(name)}
        found[f"players.{d}.minimize.adversarial"] = f"adv.d({d}(real), {d}(fake))"
        found[f"players.G.minimize.{d}"] = f"adv.g({d}(fake), {d}(real))"
    return found


def around(cell: Cell, regularizers: Iterable[str] = REGULARIZERS) -> Iterator[Cell]:
    """A cell with some regularizers and every loss: losses take turns, and one that is refused is no turn."""
    losses = itertools.cycle(LOSSES)
    for regularizer in regularizers:
        plain = cell._replace(regularizer=regularizer)
        yield plain if listed(plain) else plain._replace(adversarial=next(losses))


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_takes_every_loss_and_half_of_the_regularizers(generator: str, base: Path) -> None:
    first = GENERATORS.index(generator)
    cell = Cell(generator, "discriminator.dcgan", LOSSES[0], "none")
    turns = (REGULARIZERS[(first + i) % len(REGULARIZERS)] for i in range(len(REGULARIZERS)))
    taken = [r for r in turns if listed(cell) or not listed(cell._replace(regularizer=r))][: len(LOSSES)]
    for each in around(cell, taken):
        is_as_listed(each, base)


@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
def test_a_discriminator_takes_every_loss_and_regularizer(discriminator: str, base: Path) -> None:
    for cell in around(Cell("generator.dcgan", discriminator, LOSSES[0], "none")):
        is_as_listed(cell, base)


@pytest.mark.slow
@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
@pytest.mark.parametrize("generator", GENERATORS)
def test_every_cell_is_checked_or_refused_for_the_listed_reason(generator: str, discriminator: str, base: Path) -> None:
    for cell in cells([generator], [discriminator]):
        is_as_listed(cell, base)


def test_what_is_listed_as_refused_exists() -> None:
    known = {*GENERATORS, *DISCRIMINATORS, *LOSSES, *REGULARIZERS}
    for entry in entries():
        assert {name for names in named(entry) for name in names} <= known, entry


def trained() -> Iterator[Cell]:
    """Every discriminator with a third of the regularizers; generators and losses take turns."""
    generators, losses = itertools.cycle(GENERATORS), itertools.cycle(LOSSES)
    pairs = [(d, r) for i, d in enumerate(DISCRIMINATORS) for j, r in enumerate(REGULARIZERS) if (i + j) % 3 == 0]
    for discriminator, regularizer in pairs:
        turns = (Cell(next(generators), discriminator, next(losses), regularizer) for _ in GENERATORS)
        yield from itertools.islice((cell for cell in turns if listed(cell) is None), 1)


@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
def test_cells_train(discriminator: str, base: Path) -> None:
    for cell in trained():
        if cell.discriminator == discriminator:
            train_two_steps(cell, base)


def test_every_network_that_takes_noise_or_an_image_is_among_the_trained() -> None:
    seen = {part for cell in trained() for part in cell}
    alone = {name for entry in entries() if len(entry["cells"]) == 1 for name in named(entry)[0]}
    assert {*GENERATORS, *DISCRIMINATORS, *LOSSES, *REGULARIZERS} - alone <= seen


def train_two_steps(cell: Cell, base: Path) -> None:
    tr = trainer(Small(base, overrides(cell)))
    tr.advance()
    tr.advance()
    losses = tr.meters.read()
    assert losses, cell
    assert all(map(math.isfinite, losses.values())), (cell, losses)
    assert tr.finite(), cell


@pytest.mark.slow
@pytest.mark.parametrize("generator", GENERATORS)
def test_every_cell_trains(generator: str, base: Path) -> None:
    for cell in cells([generator]):
        if listed(cell) is None:
            train_two_steps(cell, base)
