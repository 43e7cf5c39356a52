"""What the metrics say of images whose faults are known: each is named, and nothing else is.

A perfect generator, one without three of the classes, one that copies the training images, and an honest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from pathlib import Path

import pytest
import torch
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_extractors.fashion import FashionCnn
from ganzoo_metrics.class_coverage import ClassCoverage, missing_classes
from ganzoo_metrics.density_coverage import DensityCoverage
from ganzoo_metrics.diversity import Diversity
from ganzoo_metrics.fid import Fid
from ganzoo_metrics.intra_fid import IntraFid
from ganzoo_metrics.memorisation import Memorisation
from ganzoo_metrics.tstr import Tstr
from torch import Tensor

import ganzoo
from ganzoo.contract import Measured
from ganzoo.data.reference import Reference

LIMITS = (-1.0, 1.0)
DATA = FashionMnistSample(range=LIMITS)
UNSEEN = DATA.held_out()
NAME = "data.fashion_mnist_sample"
REAL = 4000
TROUSER, SNEAKER, BAG = 1, 7, 8

Say = Callable[[Tensor], dict[str, Measured]]


def rows(data, index: Tensor | None = None) -> tuple[Tensor, Tensor]:
    found = data.batch(torch.arange(len(data)) if index is None else index, torch.device("cpu"))
    return found["real"], found["label"]


def some_seen(n: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    return rows(DATA, torch.randperm(len(DATA), generator=torch.Generator().manual_seed(seed))[:n])


def some_unseen(n: int) -> tuple[Tensor, Tensor]:
    return rows(UNSEEN, torch.randperm(len(UNSEEN), generator=torch.Generator().manual_seed(0))[:n])


def copies(n: int, sd: float, seed: int = 2) -> Tensor:
    """Training images moved by a pixel in one of the eight directions, with noise of `sd` of 255."""
    generator = torch.Generator().manual_seed(seed)
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    which = torch.randint(8, (n,), generator=generator).tolist()
    images = some_seen(n, seed)[0]
    moved = torch.stack([torch.roll(x, steps[k], (1, 2)) for x, k in zip(images, which, strict=True)])
    return (moved + torch.randn(moved.shape, generator=generator) * sd * 2 / 255).clamp(*LIMITS)


def without(images: Tensor, label: Tensor, *classes: int) -> Tensor:
    return images[~torch.isin(label, torch.tensor(classes))]


@pytest.fixture(scope="module")
def say(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Say]:
    """Every metric that needs no label, on any images."""
    reference, extractor = Reference(DATA, NAME), FashionCnn(LIMITS)
    through = {
        "fid": Fid(reference, n_real=REAL),
        "class_coverage": ClassCoverage(reference, n_real=REAL),
        "density_coverage": DensityCoverage(reference, n_real=REAL),
        "diversity": Diversity(reference, pairs=100, n_real=1000),
    }
    calls: dict[str, Callable[[Tensor], Measured]] = {k: partial(m, extractor=extractor) for k, m in through.items()}
    calls["memorisation"] = Memorisation(DATA, n_fake=1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield lambda images: {name: call(images) for name, call in calls.items()}


def verdicts(said: dict[str, Measured]) -> dict[str, str]:
    return {name: found.verdict for name, found in said.items() if found.verdict}


def test_a_perfect_generator_is_at_the_floor_and_nothing_is_said(say: Say) -> None:
    images, _ = some_unseen(1000)
    said = say(images)
    assert not verdicts(said)
    floor = Fid(Reference(DATA, NAME), n_real=REAL)(some_seen(1000)[0], FashionCnn(LIMITS)).values
    assert isinstance(floor, float) and said["fid"].values < 1.5 * floor < 1.5
    assert said["class_coverage"].values["classes"] == 10
    assert said["density_coverage"].values["coverage"] > 0.6  # a quarter as many as real ones
    assert said["memorisation"].values["share"] < 0.02


def test_missing_classes_are_named(say: Say) -> None:
    images, label = some_unseen(2000)
    kept = without(images, label, TROUSER, SNEAKER, BAG)[:1000]
    said = verdicts(say(kept))
    assert said == {"class_coverage": "collapsed: 3 of 10 classes are (nearly) missing: trouser, sneaker, bag"}


@pytest.mark.slow
def test_also_those_that_others_are_mistaken_for() -> None:
    """Every one, two or three of the classes: what is left of a shirt is a quarter, of those mistaken for it."""
    extractor = FashionCnn(LIMITS)
    with torch.no_grad():
        of_real, said = (
            torch.cat([extractor(some).logits.argmax(1) for some in rows(data)[0].split(500)])
            for data in (DATA, UNSEEN)
        )
    truth, label = rows(DATA)[1], rows(UNSEEN)[1]
    wanted = torch.bincount(of_real, minlength=10) / len(of_real)
    mistaken = torch.bincount(of_real[of_real != truth], minlength=10) / len(of_real)
    for count in (1, 2, 3):
        for dropped in combinations(range(10), count):
            left = said[~torch.isin(label, torch.tensor(dropped))]
            counts = torch.bincount(left, minlength=10).double()
            assert missing_classes(counts, wanted, mistaken) == list(dropped)


@pytest.mark.parametrize("sd", [5, 10])
def test_copies_are_named(say: Say, sd: float) -> None:
    said = say(copies(1000, sd))
    assert set(verdicts(said)) == {"memorisation"}
    assert said["memorisation"].values["share"] > 0.95
    assert said["memorisation"].verdict.startswith("memorising: 1")  # 100 %


def test_one_copied_in_five_is_named_and_blur_is_not() -> None:
    compared = torch.zeros(len(UNSEEN), dtype=torch.bool)
    compared[Reference(DATA, NAME, "held_out").index(1000)] = True  # those that the metric itself looks at
    images = rows(UNSEEN)[0][~compared]
    metric = Memorisation(DATA, n_fake=1000)
    mixed = metric(torch.cat([images[:800], copies(200, 5)]))
    assert 0.2 <= mixed.values["share"] < 0.23 and mixed.verdict.startswith("memorising: 2")
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    assert not metric(blurred).verdict


def test_one_image_over_and_over_is_named(say: Say) -> None:
    images, _ = rows(UNSEEN)
    said = verdicts(say(images[:1].repeat(500, 1, 1, 1)))
    assert said["diversity"] == "collapsed: samples are nearly all alike"
    assert "9 of 10 classes" in said["class_coverage"]
    assert "memorisation" not in said


@pytest.mark.slow
def test_an_honest_model_is_neither_collapsed_nor_memorising(say: Say, tmp_path: Path) -> None:
    settings = {"train.precision": "bf16", "plugins.tensorboard": False}
    run = ganzoo.load("dcgan/fashion_mnist_sample", settings).train(tmp_path / "run")
    for n in (1000, 2000):
        said = say(run.sample(n))
        assert not verdicts(said)
    assert 1 < said["fid"].values < 25
    assert said["class_coverage"].values["classes"] == 10
    assert said["memorisation"].values["share"] < 0.02


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*distance is far too large")
def test_labels_that_hold_and_labels_that_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    (images, label), extractor = rows(UNSEEN), FashionCnn(LIMITS)
    tstr, intra = Tstr(DATA), IntraFid(Reference(DATA, NAME))
    good = tstr(images, label)
    assert good.values["ratio"] > 0.95 and not good.verdict
    mixed = label[torch.randperm(len(label), generator=torch.Generator().manual_seed(0))]
    assert tstr(images, mixed).verdict.startswith("the samples do not show their classes")
    assert intra(images, extractor, mixed).values["mean"] > 10 * intra(images, extractor, label).values["mean"]
