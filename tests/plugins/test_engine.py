"""The metrics say what torch-fidelity says of the same images, through its own front door and its command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_data.made_up import Random
from ganzoo_extractors.fashion import FashionCnn
from ganzoo_extractors.published import Inception, Vgg16, _inception
from ganzoo_metrics.fid import Fid
from ganzoo_metrics.inception_score import InceptionScore
from ganzoo_metrics.kid import Kid
from ganzoo_metrics.path_length import PathLength
from ganzoo_metrics.precision_recall import PrecisionRecall
from PIL import Image
from torch import Tensor, nn

import ganzoo
from ganzoo.data.arrays import to_field, to_uint8
from ganzoo.data.reference import Reference
from ganzoo.errors import UserError
from ganzoo.testing.inputs import Means
from tests.plugins.published import random_weights
from tests.zoo import written

torch_fidelity = pytest.importorskip("torch_fidelity")
N, SUBSET, RANGE = 400, 150, (0.0, 1.0)
EVERY = {"isc": True, "fid": True, "kid": True, "prc": True, "kid_subset_size": SUBSET, "kid_subsets": 10}
QUIET = {"cuda": False, "cache": False, "save_cpu_ram": True, "verbose": False}

REGISTERED = """
import torch_fidelity
from ganzoo_extractors.fashion import FashionCnn

class Registered(torch_fidelity.FeatureExtractorBase):
    def __init__(self, name, features_list, **_):
        super().__init__(name, features_list)
        self.network = FashionCnn((0.0, 1.0))

    @staticmethod
    def get_provided_features_list():
        return "features", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "logits" if metric == "isc" else "features"

    @staticmethod
    def can_be_compiled():
        return False

    @staticmethod
    def get_dummy_input_for_compile():
        return None

    def forward(self, images):
        found = self.network(images[:, :1].float() / 255)
        return tuple(getattr(found, name) for name in self.features_list)

torch_fidelity.register_feature_extractor("fashion-cnn", Registered)
"""
COMMAND = REGISTERED + "from torch_fidelity.fidelity import main\nmain()\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


class Noisy(FashionMnistSample):
    """A few rows of the sample, as a set of its own."""

    def __init__(self, split: Any, noise: float = 0.0):
        super().__init__(split, RANGE)
        self.noise = noise

    def load(self) -> dict[str, np.ndarray]:
        every = {name: rows[:: len(rows) // N][:N] for name, rows in super().load().items()}
        noise = np.random.default_rng(0).normal(0, 255 * self.noise, every["real"].shape)
        return {**every, "real": (every["real"] + noise).round().clip(0, 255).astype(np.uint8)}


@pytest.fixture(scope="module")
def images() -> tuple[Noisy, Tensor]:
    """The reference, and what stands for generated images."""
    fake = Noisy("test", 0.15)
    return Noisy("train"), fake.batch(torch.arange(N), torch.device("cpu"))["real"]


@pytest.fixture(scope="module")
def folders(images, tmp_path_factory) -> tuple[Path, Path]:
    """The same, generated ones first, as PNG files."""
    root = tmp_path_factory.mktemp("images")
    for name, rows in (("fake", to_uint8(images[1], RANGE).numpy()), ("real", images[0].arrays["real"])):
        (root / name).mkdir()
        for index, row in enumerate(rows):
            Image.fromarray(row[..., 0]).save(root / name / f"{index:05}.png")
    return root / "fake", root / "real"


@pytest.fixture(scope="module")
def ours(images, tmp_path_factory) -> dict[str, float]:
    """Every number by the engine's name for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        return measured(Reference(images[0], "data.sample"), images[1], FashionCnn(RANGE))


def measured(reference: Reference, fake: Tensor, extractor: nn.Module, subset_size: int = SUBSET) -> dict[str, float]:
    kid = Kid(reference, subsets=10, subset_size=subset_size)(fake, extractor).values
    score = InceptionScore(reference)(fake, extractor).values
    rest = PrecisionRecall(reference)(fake, extractor).values
    assert isinstance(kid, dict) and isinstance(score, dict) and isinstance(rest, dict)
    return {
        "frechet_inception_distance": float(Fid(reference)(fake, extractor).values),  # type: ignore[arg-type]
        **{f"kernel_inception_distance_{key}": value for key, value in kid.items()},
        **{f"inception_score_{key}": value for key, value in score.items()},
        **rest,
    }


@pytest.fixture(scope="module")
def registered() -> Iterator[str]:
    scope: dict[str, Any] = {}
    exec(REGISTERED, scope)
    yield "fashion-cnn"
    del torch_fidelity.registry.FEATURE_EXTRACTORS_REGISTRY["fashion-cnn"]


def assert_same(found: dict[str, float], wanted: dict[str, float], rel: float = 1e-6) -> None:
    assert sorted(found) == sorted(wanted)
    assert found == pytest.approx(wanted, rel=rel, abs=1e-6)


# -- the same numbers --------------------------------------------------------------------------------------------------


def test_as_its_calculate_metrics_says_of_a_data_set(images, ours, registered) -> None:
    class Rows(torch.utils.data.Dataset):
        def __init__(self, rows: Tensor):
            self.rows = to_uint8(rows, RANGE).permute(0, 3, 1, 2)

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, index: int) -> Tensor:
            return self.rows[index]

    real = images[0].batch(torch.arange(N), torch.device("cpu"))["real"]
    settings = {**EVERY, **QUIET, "feature_extractor": registered}
    assert_same(ours, torch_fidelity.calculate_metrics(input1=Rows(images[1]), input2=Rows(real), **settings))
    assert ours["frechet_inception_distance"] > 1
    assert 0 < ours["precision"] < 1 and 0 < ours["recall"] < 1


def test_as_its_command_says_of_two_folders(folders, ours, tmp_path) -> None:
    """The command itself knows no extractor of others, so they are registered before its main function is called."""
    options = ["--cpu", "--json", "--silent", "--save-cpu-ram", "--no-cache", "--feature-extractor", "fashion-cnn"]
    options += ["--isc", "--fid", "--kid", "--prc", "--kid-subset-size", str(SUBSET), "--kid-subsets", "10"]
    command = [sys.executable, "-c", COMMAND, *options, "--input1", str(folders[0]), "--input2", str(folders[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_same(ours, json.loads(done.stdout))


@pytest.mark.parametrize("way", ["lerp", "slerp"])
def test_path_length_as_the_engine_has_it(way: Any) -> None:
    """With the same latent vectors, a similarity by our extractor, and no percentile (numpy 2 breaks the engine's)."""
    weight = torch.randn(8, 28 * 28, generator=torch.Generator().manual_seed(0))
    z = torch.randn(200, 8, generator=torch.Generator().manual_seed(1))
    extractor, ends = FashionCnn(RANGE), iter([z, z.roll(-1, 0)])

    class Generator(torch_fidelity.GenerativeModelBase):
        z_size, z_type, num_classes = 8, "ours", 0

        def forward(self, z: Tensor) -> Tensor:
            return (z @ weight).sigmoid().unflatten(1, (1, 28, 28))

    class Similarity(torch_fidelity.SampleSimilarityBase):
        def __init__(self, name: str, **_: Any):
            super().__init__(name)

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return (extractor(a).features.double() - extractor(b).features.double()).square().sum(1)

    registry = torch_fidelity.registry
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.NOISE_SOURCE_REGISTRY, "ours", lambda rng, shape: next(ends))
        patch.setitem(registry.SAMPLE_SIMILARITY_REGISTRY, "ours", Similarity)
        settings = {"ppl_sample_similarity": "ours", "ppl_sample_similarity_resize": None, "ppl_epsilon": 1e-2}
        settings |= {"ppl_sample_similarity_dtype": None, "ppl_z_interp_mode": "slerp_any" if way == "slerp" else way}
        settings |= {"ppl_discard_percentile_lower": None, "ppl_discard_percentile_higher": None}
        wanted = torch_fidelity.calculate_metrics(
            input1=Generator(), input1_model_num_samples=200, ppl=True, **settings, **QUIET
        )
    found = PathLength(1e-2, way, discard=None)(Generator(), z, extractor).values
    assert_same({f"perceptual_path_length_{key}": value for key, value in dict(found).items()}, wanted)  # type: ignore[call-overload]
    assert wanted["perceptual_path_length_mean"] > 0


def test_path_length_of_a_linear_map_is_known() -> None:
    """|W (z_1 - z_0)|^2; and outliers are left out: of 101 distances from 0 to 100, those between the percentiles."""
    z, weight = torch.randn(500, 6), torch.randn(6, 28, generator=torch.Generator().manual_seed(0)) / 28

    def generator(z: Tensor) -> Tensor:
        return (z.double() @ weight.double())[:, None, :, None].expand(-1, -1, -1, 5)

    wanted = ((z.roll(-1, 0) - z) @ weight).square().sum(1)
    every = dict(PathLength(1e-3, discard=None)(generator, z, Means()).values)  # type: ignore[call-overload]
    assert every["mean"] == pytest.approx(wanted.mean().item(), rel=1e-4)
    ends = torch.arange(101.0).sqrt().cumsum(0)[:, None] * torch.tensor([1.0, -1.0])[torch.arange(101) % 2, None] * 0
    steps = torch.arange(101.0).sqrt()
    ends[1:] = steps[:-1].cumsum(0)[:, None]  # distances 0, 1, …, 99 and the long way back
    few = dict(PathLength(1.0, discard=(10, 90))(lambda z: z[:, :, None, None], ends, Means()).values)  # type: ignore[call-overload]
    assert few["mean"] == pytest.approx(np.arange(10, 91).mean())


# -- what they say beside the numbers ----------------------------------------------------------------------------------


def test_protocols(images) -> None:
    reference, fake, extractor = Reference(images[0], "data.sample"), images[1], FashionCnn(RANGE)
    engine = {"engine": "torch-fidelity " + torch_fidelity.__version__}
    kid = Kid(reference, subsets=3)(fake, extractor)
    assert kid.protocol.items() >= {"n_real": N, "subsets": 3, "subset_size": N, "split": "train", **engine}.items()
    assert kid.verdict == f"subsets of {N} samples, as there are no more; the usual size is 1000"
    assert Kid(reference, subsets=3, subset_size=20)(fake, extractor).verdict == ""
    prc = PrecisionRecall(reference, neighborhood=5)(fake[:100], extractor)
    assert prc.protocol.items() >= {"n_real": 100, "neighborhood": 5, "quantised": "uint8", **engine}.items()
    assert PrecisionRecall(reference, n_real=50)(fake, extractor).protocol["n_real"] == 50
    score = InceptionScore(reference, splits=4)(fake, extractor)
    assert score.protocol == {"quantised": "uint8", "splits": 4, **engine}


def test_impossible_numbers_are_refused(images) -> None:
    reference, fake, extractor = Reference(images[0], "data.sample"), images[1], FashionCnn(RANGE)
    with pytest.raises(ValueError, match="10 splits need 10 samples or more, not 9"):
        InceptionScore(reference)(fake[:9], extractor)
    with pytest.raises(ValueError, match="3 generated and 3 real samples have no 3 neighbours"):
        PrecisionRecall(reference)(fake[:3], extractor)
    with pytest.raises(ValueError, match="two latent vectors or more are needed, not 1x8"):
        PathLength()(lambda z: z, torch.zeros(1, 8), extractor)
    for wrong in ({"epsilon": 0.0}, {"discard": (99.0, 1.0)}):
        with pytest.raises(UserError, match="should be"):
            ganzoo.make("metric.path_length", **wrong)
    broken = fake * float("nan")
    for metric in (Fid(reference), Kid(reference), InceptionScore(reference), PrecisionRecall(reference)):
        found = metric(broken, extractor)
        numbers = found.values.values() if isinstance(found.values, dict) else [found.values]
        assert np.isnan(list(numbers)).all()
        assert found.verdict == "some generated values are not finite"


# -- in a model --------------------------------------------------------------------------------------------------------

MODEL = """
extends: base/images.yaml
data: {use: data.random, count: 200, fields: {real: {kind: image, shape: [1, 28, 28]}}}
parts:
  C: {use: prior.normal, size: 3}
  join: op.join
  G: {width: 4, base: 7}
  D: {width: 4}
  E: extractor.fashion_cnn
  fid: metric.fid
  kid: {use: metric.kid, subsets: 3, subset_size: 50}
  prc: metric.precision_recall
  score: metric.inception_score
  ppl: metric.path_length
flow:
  z: Z(n)
  c: C(n)
  fake: G(join(z, c))
show: []
evaluate:
  every: 2
  n: 140
  values:
    fid: fid(fake, E)
    kid: kid(fake, E)
    prc: prc(fake, E)
    score: score(fake, E)
    ppl: "ppl(G(join(_, c)), z, E)"
train: {batch: 4, steps: 2, keep: {best: "kid[fashion_cnn].mean"}}
"""


def test_all_of_them_in_a_model(tmp_path, monkeypatch) -> None:
    seen: dict[str, Tensor] = {}

    def keep(metric: Any, generator: Any, z: Tensor, extractor: nn.Module) -> Any:
        seen["by the hole"] = generator(z)
        return original(metric, generator, z, extractor)

    def keep_fake(metric: Any, fake: Tensor, extractor: nn.Module) -> float:
        seen["by the flow"] = fake
        return 1.0

    original = PathLength.__call__
    monkeypatch.setattr(PathLength, "__call__", keep)
    monkeypatch.setattr(Fid, "__call__", keep_fake)
    written(tmp_path, MODEL).train(tmp_path / "run", quiet=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    (evaluation,) = (line["evaluation"] for line in lines if "evaluation" in line)
    wanted = {"kid": ("mean", "std"), "prc": ("precision", "recall", "f_score"), "score": ("mean", "std")}
    wanted["ppl"] = ("mean", "std")
    names = {f"{name}[fashion_cnn].{key}" for name, keys in wanted.items() for key in keys}
    assert set(evaluation) == {"fid[fashion_cnn]", *names}
    assert evaluation["ppl[fashion_cnn].mean"] > 0
    assert len(seen["by the flow"]) == 140
    assert torch.equal(seen["by the hole"], seen["by the flow"]), "what else stands beside the hole is of the same rows"
    records = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    assert len(records) == 5
    for record in records:
        assert record["protocol"]["preparation"] == {
            "extractor.fashion_cnn": {"size": "28x28, of 32x32 without the border"}
        }
        assert ("engine" in record["protocol"]) == (record["metric"] != "fid[fashion_cnn]")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("score", "score(fake, H)", "gives no logits"),
        ("ppl", "ppl(G(_), z, E)", "while computing"),
        ("ppl", "ppl(G(join(_, c)), E)", "takes .*generator.*z.*extractor"),
    ],
)
def test_what_does_not_fit_is_found_at_check(name: str, value: str, message: str, tmp_path, monkeypatch) -> None:
    class Bare(FashionCnn):
        def forward(self, x: Tensor) -> Any:
            return super().forward(x).features

    monkeypatch.setattr("ganzoo_extractors.efficientnet.EfficientNetLite0", Bare)
    text = MODEL.replace("  E: extractor", "  H: extractor.efficientnet_lite0\n  E: extractor")
    with pytest.raises(UserError, match=rf"evaluate\.values\.{name}.*{message}"):
        written(tmp_path, text, **{f"evaluate__values__{name}": value}).check()


# -- the engine's networks ---------------------------------------------------------------------------------------------


def saved(extractor: Any, folder: Path) -> Path:
    """A file of such weights."""
    from torchvision.models import vgg16

    with torch.device("meta"):
        skeleton = _inception() if extractor is Inception else vgg16()
    found = {k: torch.zeros(v.shape) if v.is_meta and v.ndim < 2 else v for k, v in random_weights(skeleton).items()}
    found |= {k: torch.full(v.shape, 1.5) for k, v in found.items() if k.endswith("bn.weight")}
    found |= {k: torch.ones(v.shape) for k, v in found.items() if k.endswith("running_var")}
    torch.save(found, folder / "weights.pth")
    return folder / "weights.pth"


@pytest.mark.parametrize(
    ("extractor", "name"), [(Inception, "inception-v3-compat"), pytest.param(Vgg16, "vgg16", marks=pytest.mark.slow)]
)
def test_published_extractors_are_the_engines(extractor: Any, name: str, tmp_path) -> None:
    """Same features and logits from the same file of (random) weights, for any range; gradients reach the images."""
    path = saved(extractor, tmp_path)
    rows = torch.randint(0, 256, (2, 3, 20, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    layers = ["2048", "logits_unbiased"] if extractor is Inception else ["fc2_relu"]
    theirs = torch_fidelity.registry.FEATURE_EXTRACTORS_REGISTRY[name](
        name, layers, feature_extractor_weights_path=str(path)
    )
    field = Random({"real": {"kind": "image", "shape": [3, 20, 24]}}, count=1, range=(-1.0, 1.0)).fields["real"]
    images = to_field(rows.permute(0, 2, 3, 1), field).requires_grad_()
    ours = extractor((-1.0, 1.0), weights=str(path))
    given = ours(images)
    for mine, wanted in zip(given, theirs(rows), strict=True):
        largest = wanted.abs().max()  # single precision through up to a hundred layers: 2e-5 apart on some processors
        assert torch.allclose(mine / largest, wanted / largest, atol=5e-5)
        assert wanted.std() > 0.1 * wanted.abs().mean()
    given.features.sum().backward()
    assert images.grad is not None and images.grad.abs().max() > 0
    assert len(ours.sha256) == 64 and not ours.state_dict() and not list(ours.parameters())
    side = 299 if extractor is Inception else 224
    assert ours.protocol == {"resized": f"to {side}x{side}, bilinear as TensorFlow 1.x"}
    nearly = images.detach() + 0.4 / 127.5
    fine = extractor((-1.0, 1.0), weights=str(path), quantise=False)
    assert torch.equal(ours(nearly).features, given.features) and fine.protocol["quantised"] == "no"
    assert not torch.equal(fine(nearly).features, given.features)
    path_length = PathLength()
    path_length.dry(lambda z: nearly, torch.zeros(2, 8), fine)
    with pytest.raises(ValueError, match="give it `quantise: false`"):
        path_length(lambda z: nearly, torch.zeros(2, 8), ours)


class Colours(Random):
    """Colourful images, each a smooth field."""

    def load(self) -> dict[str, np.ndarray]:
        few = torch.rand(self.count, 3, 3, 3, generator=torch.Generator().manual_seed(self.seed))
        smooth = torch.nn.functional.interpolate(few, (24, 24), mode="bicubic").clamp(0, 1)
        return {"real": to_uint8(smooth, RANGE).numpy()}


@pytest.mark.slow
def test_inception_as_the_plain_command_has_it(tmp_path) -> None:
    """``fidelity`` as it is installed, given the same weights: all four metrics on two folders of colour images."""
    path, sets = saved(Inception, tmp_path), []
    for seed, name in enumerate(("fake", "real")):
        data = Colours({"real": {"kind": "image", "shape": [3, 24, 24]}}, count=16, seed=seed)
        (tmp_path / name).mkdir()
        for index, row in enumerate(data.arrays["real"]):
            Image.fromarray(row).save(tmp_path / name / f"{index:03}.png")
        sets.append(data)
    options = [
        "--cpu",
        "--json",
        "--silent",
        "--save-cpu-ram",
        "--no-cache",
        "--feature-extractor-weights-path",
        str(path),
    ]
    options += ["--feature-extractor", "inception-v3-compat", "--isc", "--fid", "--kid", "--prc"]
    options += ["--kid-subset-size", "12", "--kid-subsets", "10", "--input1", str(tmp_path / "fake")]
    command = [sys.executable, "-m", "torch_fidelity.fidelity", *options, "--input2", str(tmp_path / "real")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fake = sets[0].batch(torch.arange(16), torch.device("cpu"))["real"]
    found = measured(Reference(sets[1], "data.random"), fake, Inception((-1.0, 1.0), str(path)), subset_size=12)
    wanted = json.loads(done.stdout)
    assert_same(found, wanted, rel=1e-5)  # the engine takes the root of a product of rank 15 among 2,048 dimensions
    assert found["frechet_inception_distance"] > 0.01 and found["inception_score_mean"] > 1.001
