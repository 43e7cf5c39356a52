"""The Fréchet distance: closed forms, other people's implementations, and how it meets data and models."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from ganzoo_data.made_up import Random
from ganzoo_extractors.fashion import FashionCnn
from ganzoo_metrics import features
from ganzoo_metrics.fid import Fid
from ganzoo_metrics.moments import Moments, frechet_distance, gaussian_distance
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.data.arrays import cache_folder, to_uint8
from ganzoo.data.reference import Reference
from ganzoo.errors import UserError
from ganzoo.testing.inputs import Means

GREY = {"real": {"kind": "image", "shape": [1, 28, 28]}}
RNG = torch.Generator


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=RNG().manual_seed(seed))


def covariance(seed: int, d: int, rank: int) -> torch.Tensor:
    factor = normal(seed, d, rank)
    return factor @ factor.T / rank


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


# -- closed forms ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(*[st.floats(0, 100), st.floats(0, 100), st.floats(-10, 10)]), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_diagonal_covariances(rows: list[tuple[float, float, float]]) -> None:
    a, b, shift = torch.tensor(rows, dtype=torch.float64).T
    wanted = (shift.square() + (a.sqrt() - b.sqrt()).square()).sum().item()
    found = gaussian_distance(torch.zeros_like(shift), a.diag(), shift, b.diag())
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("d", "rank"), [(3, 10), (64, 200), (64, 20)])
def test_equal_is_zero_and_a_shift_is_its_square(d: int, rank: int) -> None:
    cov, mean = covariance(0, d, rank), normal(1, d)
    assert gaussian_distance(mean, cov, mean, cov) == pytest.approx(0, abs=1e-6)
    assert gaussian_distance(mean, cov, mean + 2, cov) == pytest.approx(4 * d, rel=1e-9)


def test_invariances() -> None:
    """Symmetric, unchanged by rotation and by one shift of both, quadratic in scale."""
    a, b = normal(0, 400, 12), 0.5 * normal(1, 300, 12) + 1
    rotation = torch.linalg.qr(normal(2, 12, 12)).Q
    wanted = frechet_distance(a, b)
    assert wanted > 1
    assert frechet_distance(b, a) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(a @ rotation, b @ rotation) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(a + 1000, b + 1000) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * wanted, rel=1e-9)
    assert frechet_distance(a, a[torch.randperm(400, generator=RNG().manual_seed(0))]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(500, 16), (1000, 128), (40, 64)])
def test_scipy_agrees(n: int, d: int) -> None:
    """Also where there are fewer samples than dimensions, though the root of a singular matrix is less exact there."""
    linalg = pytest.importorskip("scipy.linalg")
    a, b = normal(0, n, d) @ normal(1, d, d), normal(2, n, d) @ normal(3, d, d) + 0.3
    cov_a, cov_b = np.cov(a.numpy(), rowvar=False), np.cov(b.numpy(), rowvar=False)
    root = linalg.sqrtm(cov_a @ cov_b)
    root = (root[0] if isinstance(root, tuple) else root).real
    wanted = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-8 if n > d else 1e-4)


# -- moments -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 7), min_size=1, max_size=8), st.floats(-1e6, 1e6))
@settings(max_examples=50, deadline=None)
def test_moments_of_pieces_are_those_of_the_whole(sizes: list[int], offset: float) -> None:
    rows = normal(0, sum(sizes) + 2, 5) + offset
    found = Moments.of(rows[:2])
    for piece in rows[2:].split(sizes):
        found.update(piece.numpy())
    assert found.count == len(rows)
    assert torch.allclose(found.mean, rows.mean(0), rtol=1e-12)
    assert torch.allclose(found.covariance, rows.T.cov(), rtol=1e-5, atol=1e-7)


def test_moments_refuse() -> None:
    with pytest.raises(ValueError, match="not finite"):
        Moments.of(torch.tensor([[1.0, float("nan")]]))
    with pytest.raises(ValueError, match="rows n x d"):
        Moments.of(torch.zeros(3))
    with pytest.raises(ValueError, match="4 and 5 dimensions"):
        frechet_distance(normal(0, 9, 4), normal(0, 9, 5))
    with pytest.raises(ValueError, match="two samples or more, not 1"):
        frechet_distance(normal(0, 9, 4), normal(0, 1, 4))


# -- the metric --------------------------------------------------------------------------------------------------------


def against(data: Random | None, extractor: torch.nn.Module, fake: torch.Tensor, split: str = "train") -> float:
    values = Fid(Reference(data, "data.random", split))(fake, extractor).values
    assert isinstance(values, float)
    return values


def test_the_data_itself_is_at_distance_zero_in_any_range() -> None:
    for low, high in ((-1.0, 1.0), (0.0, 1.0)):
        data = Random(GREY, count=200, range=(low, high))
        real = data.batch(torch.arange(200), torch.device("cpu"))["real"]
        extractor = FashionCnn((low, high))
        assert against(data, extractor, real) == pytest.approx(0, abs=1e-6)
        assert against(data, extractor, real + 0.4 / 255 * (high - low)) == pytest.approx(0, abs=1e-6), "uint8 first"
        assert against(data, extractor, (real + high) / 2) > 1


def test_the_split_is_a_choice_and_nan_is_no_number() -> None:
    data = Random(GREY, count=200)
    held = data.held_out()
    assert held is not None
    real = held.batch(torch.arange(200), torch.device("cpu"))["real"]
    assert against(data, Means(), real, "held_out") == pytest.approx(0, abs=1e-12)
    assert against(data, Means(), real) > 1e-6
    assert np.isnan(against(data, Means(), real * float("nan")))
    with pytest.raises(UserError, match="what measures against a split takes `train` too"):
        against(held, Means(), real, "held_out")
    with pytest.raises(ValueError, match=r"no image 'rael'.*did you mean 'real'"):
        Fid(Reference(data, "data.random"), real="rael")


def test_few_samples_are_said_to_be_few() -> None:
    found = Fid(Reference(Random(GREY, count=200), "data.random"))(torch.zeros(28, 1, 28, 28), Means())
    assert found.verdict == "28 samples for 28 features: the distance is far too large"
    assert found.protocol["n_real"] == 200


def test_the_datas_side_is_computed_once_and_kept_by_data_and_weights(monkeypatch) -> None:
    def kept() -> int:
        return len(list((cache_folder() / "statistics").glob("*.npz")))

    data, fake = Random(GREY, count=100), torch.zeros(100, 1, 28, 28)
    first = against(data, Means(), fake)
    assert kept() == 1
    with monkeypatch.context() as patch:
        patch.setattr(Reference, "batches", lambda *_: pytest.fail("was kept"))
        assert against(Random(GREY, count=100), Means(), fake) == first
    against(Random(GREY, count=100, seed=1), Means(), fake)
    other = Means()
    other.sha256 = "1" * 64
    against(data, other, fake)
    assert kept() == 3
    other.protocol = {"grey": "repeated to three channels"}
    against(data, other, fake)
    assert kept() == 4, "what is done to images counts as much"
    for path in (cache_folder() / "statistics").glob("*.npz"):
        path.write_bytes(b"damaged")
    assert against(data, Means(), fake) == first


def test_float32_images_of_uint8_are_exactly_those_bytes() -> None:
    data = Random(GREY, count=50)
    batch = data.batch(torch.arange(50), torch.device("cpu"))["real"]
    assert np.array_equal(to_uint8(batch, (-1.0, 1.0)).numpy(), data.arrays["real"])


def test_features_of_the_same_images_are_computed_once() -> None:
    calls = []

    class Counted(Means):
        def forward(self, x):
            calls.append(len(x))
            return super().forward(x)

    reference, extractor, fake = Reference(Random(GREY, count=100), "data.random"), Counted(), torch.rand(60, 1, 28, 28)
    one, other = Fid(reference), Fid(reference)
    first = one.of(fake, extractor)
    assert torch.equal(other.of(fake, extractor), first) and calls == [60]
    one.of(fake, Counted())
    one.of(fake.clone(), extractor)
    assert calls == [60, 60, 60], "another extractor, other images"
    fake += 0.5
    assert not torch.equal(one.of(fake, extractor), first) and len(calls) == 4, "they were changed in place"
    held = len(features._remembered)
    del fake
    gc.collect()
    assert len(features._remembered) < held


def test_the_root_of_a_covariance_that_the_fast_algorithm_cannot_decompose(monkeypatch) -> None:
    a, b = (torch.randn(30, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    found = frechet_distance(a, b)

    def fails(matrix: torch.Tensor) -> None:
        raise torch.linalg.LinAlgError("the algorithm failed to converge")

    monkeypatch.setattr(torch.linalg, "eigh", fails)
    assert frechet_distance(a, b) == pytest.approx(found, rel=1e-9) and found > 0.1
