"""Metrics of images and features: closed forms, invariances, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from ganzoo_data.made_up import Random
from ganzoo_extractors.base import Extracted
from ganzoo_metrics.class_coverage import ClassCoverage, missing_classes
from ganzoo_metrics.density_coverage import DensityCoverage, density_coverage, expected_coverage
from ganzoo_metrics.diversity import Diversity
from ganzoo_metrics.fid import Fid
from ganzoo_metrics.intra_fid import IntraFid
from ganzoo_metrics.memorisation import Memorisation
from ganzoo_metrics.moments import frechet_distance
from ganzoo_metrics.tstr import Tstr

from ganzoo.data.reference import Reference
from ganzoo.testing.inputs import Means

CLASSES = ["left", "right", "top"]
CPU = torch.device("cpu")


class Blobs(Random):
    """A bright half on noise: the class says which."""

    def load(self):
        rows = super().load()
        for k, half in enumerate((slice(0, 6), slice(6, 12))):
            rows["real"][rows["label"] == k, :, half] //= 4
        rows["real"][rows["label"] == 2, 6:] //= 4
        return rows


def blobs(count: int = 400) -> Blobs:
    fields = {"real": {"kind": "image", "shape": [1, 12, 12]}, "label": {"kind": "label", "classes": CLASSES}}
    return Blobs(fields, count=count)


def rows(data) -> tuple[torch.Tensor, torch.Tensor]:
    batch = data.batch(torch.arange(len(data)), CPU)
    return batch["real"], batch["label"]


def reference(data) -> Reference:
    return Reference(data, "data.blobs")


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


# -- density and coverage ----------------------------------------------------------------------------------------------


def test_density_and_coverage_by_hand() -> None:
    """Real at 0, 1, 3, 7: radii to the nearest are 1, 1, 2, 4. Fakes at 0.5 and 2.5."""
    real, fake = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([[0.5], [2.5]])
    # 0: 0.5; 1: 0.5; 3: 2.5; 7: none (4.5 away, radius 4)
    assert density_coverage(real, fake, 1) == (3 / 2, 3 / 4)
    assert density_coverage(real, fake + 100, 1) == (0.0, 0.0)
    with pytest.raises(ValueError, match=r"k is 4.*below the number of real images, 4"):
        density_coverage(real, fake, 4)


@pytest.mark.parametrize(("n", "m", "k"), [(300, 300, 5), (400, 100, 3)])
def test_equal_distributions_have_density_one_and_the_expected_coverage(n: int, m: int, k: int) -> None:
    found = [density_coverage(normal(2 * s, n, 4), normal(2 * s + 1, m, 4), k) for s in range(20)]
    density, coverage = (sum(column) / 20 for column in zip(*found, strict=True))
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(expected_coverage(n, m, k), abs=0.015)
    assert expected_coverage(10**6, 10**6, 5) == pytest.approx(1 - 2**-5, abs=1e-4)


def test_coverage_takes_as_many_real_images_as_there_are_samples() -> None:
    data = blobs()
    real, _ = rows(data)
    found = DensityCoverage(reference(data))(real[:100], Means())
    assert found.protocol["n_real"] == 100 and found.protocol["k"] == 5
    one = DensityCoverage(reference(data))(real[:1].repeat(200, 1, 1, 1), Means())
    assert one.values["coverage"] < 0.1 and one.verdict.startswith("collapsed: the samples lie among real ones")


# -- classes -----------------------------------------------------------------------------------------------------------


def test_a_class_is_named_only_where_chance_cannot_explain_it() -> None:
    p, none = torch.full((10,), 0.1), torch.zeros(10)
    for n, named in ((100, []), (131, []), (132, [0]), (2000, [0])):
        counts = torch.tensor([0.0, *[n / 9] * 9])
        assert missing_classes(counts, p, none) == named, n
    # a sixth of its share is nearly missing, three tenths are not; unless as much is mistaken for it
    assert missing_classes(torch.tensor([17.0, *[1000 / 9] * 9]), p, none) == [0]
    assert missing_classes(torch.tensor([30.0, *[1000 / 9] * 9]), p, none) == []
    assert missing_classes(torch.tensor([30.0, *[1000 / 9] * 9]), p, torch.full((10,), 0.02)) == [0]
    rare = torch.tensor([0.001, 0.999])
    assert missing_classes(torch.tensor([0.0, 1000.0]), rare, torch.zeros(2)) == []


def test_honest_draws_are_never_named() -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.01, 0.01])
    for n in (20, 100, 1000):
        draws = torch.multinomial(p, 500 * n, True, generator=generator).view(500, n)
        assert not any(missing_classes(torch.bincount(d, minlength=8).double(), p, torch.zeros(8)) for d in draws)


class Halves(torch.nn.Module):
    """Logits of the three classes, by where it is bright."""

    sha256 = ""

    def forward(self, x):
        left, right = x[..., :6].mean((1, 2, 3)), x[..., 6:].mean((1, 2, 3))
        logits = torch.stack([right - left, left - right, torch.full_like(left, 0.1)], 1)
        return Means().forward(x)._replace(logits=logits)


def test_coverage_of_classes_names_what_is_missing() -> None:
    data = blobs()
    real, label = rows(data)
    metric = ClassCoverage(reference(data))
    whole = metric(real, Halves())
    assert whole.values == {"classes": 3.0, "total_variation": 0.0} and not whole.verdict
    part = metric(real[label != 1], Halves())
    assert part.verdict == "collapsed: 1 of 3 classes is (nearly) missing: right"
    recognised = Halves()(real).logits.argmax(1)
    shares = [torch.bincount(r, minlength=3).double() / len(r) for r in (recognised, recognised[label != 1])]
    wanted = (shares[0] - shares[1]).abs().sum().item() / 2
    assert 0.25 < wanted < 0.35 and part.values["total_variation"] == pytest.approx(wanted)
    assert math.isnan(metric(real * float("nan"), Halves()).values["classes"])


def test_coverage_of_classes_needs_a_classifier() -> None:
    class Plain(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)

    with pytest.raises(ValueError, match="gives no logits"):
        ClassCoverage(reference(blobs())).dry(torch.zeros(2, 1, 12, 12), Plain())


@pytest.mark.filterwarnings("ignore:.*distance is far too large")
def test_intra_fid_is_the_distance_class_by_class() -> None:
    data = blobs()
    real, label = rows(data)
    fake = real.clone()
    fake[label == 2] = (fake[label == 2] + 1) / 2
    found = IntraFid(reference(data))(fake, Means(), label)
    # quantisation alone keeps the classes that were left as they are at 0
    assert found.values["left"] == pytest.approx(0, abs=1e-6) == found.values["right"]
    metric = IntraFid(reference(data))
    wanted = frechet_distance(metric.of(fake[label == 2], Means()), metric.of(real[label == 2], Means()))
    assert found.values["top"] == pytest.approx(wanted) == found.values["worst"]
    assert found.values["mean"] == pytest.approx(wanted / 3, abs=1e-6)
    assert found.protocol["classes"] == 3
    assert IntraFid(reference(data))(fake[label != 0], Means(), label[label != 0]).protocol["classes"] == 2
    with pytest.raises(ValueError, match="no label 'lable'"):
        IntraFid(reference(data), classes="lable")


# -- memorisation and diversity ----------------------------------------------------------------------------------------


def smooth(seed: int, n: int, size: int = 40) -> torch.Tensor:
    return torch.nn.functional.interpolate(normal(seed, n, 1, 5, 5), size=size, mode="bilinear").tanh()


class Smooth(Random):
    def load(self):
        images = smooth(5 + (self.split == "test"), self.count)
        return {"real": ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()}


def test_copies_are_named_and_new_images_are_not() -> None:
    data = Smooth({"real": {"kind": "image", "shape": [1, 40, 40]}}, count=300)
    seen, metric = data.batch(torch.arange(300), CPU)["real"], Memorisation(data)
    new = metric(smooth(9, 300))
    assert new.values["share"] < 0.05 and new.values["ratio"] == pytest.approx(1, abs=0.1) and not new.verdict
    copies = metric(torch.roll(seen, (0, 1), (2, 3)) + 0.05 * normal(1, *seen.shape))
    assert copies.values["share"] > 0.9 and copies.verdict.startswith("memorising: ")
    replayed = metric(data.held_out().batch(torch.arange(300), CPU)["real"])
    assert replayed.values == {"share": pytest.approx(0.01), "ratio": 1.0, "unseen": 1.0} and not replayed.verdict
    assert not metric(torch.zeros(100, 1, 40, 40)).verdict, "what is near to everything is no copy"
    assert copies.protocol["compared_at"] == "32x32" and copies.protocol["n_trained_on"] == 300
    assert Memorisation(data, shift=0)(seen).values["ratio"] == pytest.approx(0, abs=1e-3)
    with pytest.raises(ValueError, match="shift is 16"):
        Memorisation(data, shift=16)


def test_a_network_without_a_hash_is_asked_again() -> None:
    """It may have learnt since, so what it said of the real images is not kept."""

    class Learner(Means):
        sha256 = ""
        gain = 1.0

        def forward(self, x: torch.Tensor) -> Extracted:
            return Extracted(*(self.gain * t for t in super().forward(x)))

    data, learner = blobs(), Learner()
    real, _ = rows(data)
    diversity, fid = Diversity(reference(data), pairs=100), Fid(reference(data))
    alone = diversity(real)
    before = [dict(diversity(real, learner).values), fid(real, learner).values]
    learner.gain = 3.0
    again = [dict(diversity(real.clone(), learner).values), fid(real.clone(), learner).values]
    assert before[0]["spread"] == pytest.approx(1, abs=1e-6) == again[0]["spread"]
    assert before[1] == pytest.approx(0, abs=1e-9) == again[1]
    assert diversity(real) == alone


def test_records_say_how_many_samples_were_looked_at() -> None:
    data = blobs()
    real, label = rows(data)
    twice = torch.cat([real, real]), torch.cat([label, label])
    assert Tstr(data, epochs=1, least=1)(*twice).protocol["n_fake"] == 400
    assert Memorisation(data, n_fake=50)(real).protocol["n_fake"] == 50


def test_diversity_of_equal_images_and_of_the_data() -> None:
    data = blobs()
    real, label = rows(data)
    metric = Diversity(reference(data), pairs=100)
    honest = metric(real, Means(), label)
    assert honest.values["spread"] == pytest.approx(1, abs=0.05) and not honest.verdict
    assert honest.values["ms_ssim"] == pytest.approx(honest.values["ms_ssim_real"], abs=0.02)
    same = metric(real[:1].repeat(50, 1, 1, 1), Means())
    assert same.values["ms_ssim"] == pytest.approx(1, abs=1e-9) and same.values["spread"] == 0
    assert same.verdict == "collapsed: samples are nearly all alike"
    assert set(metric(real).values) == {"ms_ssim", "ms_ssim_real"}
    real[label == 0] = real[label == 0][:1]
    assert metric(real, label=label).verdict == "collapsed: samples are nearly all alike within left"
    assert metric(real, label=label) == Diversity(reference(data), pairs=100)(real, label=label), "seeded"


# -- train on synthetic, test on real ----------------------------------------------------------------------------------


def test_tstr_of_good_wrong_and_poor_samples() -> None:
    data = blobs()
    real, label = rows(data)
    state = torch.random.get_rng_state()
    quick = {"width": 4, "batch": 32, "epochs": 1, "least": 60}
    metric = Tstr(data, **quick)
    good = metric(real, label)
    assert torch.equal(state, torch.random.get_rng_state()), "draws of its own"
    assert good.values == metric(real, label).values == Tstr(data, **quick)(real, label).values, "the same every time"
    assert good.values["tstr"] == good.values["trtr"] > 0.9 and good.values["ratio"] == 1 and not good.verdict
    wrong = metric(real, (label + 1) % 3)
    assert wrong.values["tstr"] < 0.1 and wrong.verdict.startswith("the samples do not show their classes")
    first = torch.stack([real[label == k][0] for k in range(3)])
    poor = metric(first[label], label)
    assert poor.values["trts"] == 1 > poor.values["tstr"], "samples without variety are easy, and teach little"
    more = metric(torch.cat([real, real]), torch.cat([label, label]))
    assert more.values == good.values, "no more samples than there are real ones"


def test_tstr_of_vectors() -> None:
    fields = {"real": {"kind": "vector", "shape": [2]}, "label": {"kind": "label", "classes": 2}}
    data = Random(fields, count=200)
    x, label = rows(data)
    found = Tstr(data)(x, label)  # labels of noise: nothing to learn
    assert found.values["trtr"] == found.values["tstr"] == pytest.approx(0.5, abs=0.12)
    with pytest.raises(ValueError, match="no image or vector 'rael'"):
        Tstr(data, real="rael")
