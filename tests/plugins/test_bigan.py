"""BiGAN: images and codes judged together, who learns, and the nearest neighbours of codes."""

from __future__ import annotations

import math

import pytest
import torch
from ganzoo_bigan.neighbour import NearestNeighbour
from ganzoo_bigan.networks import Discriminator, Encoder, Generator
from ganzoo_data.made_up import Random
from torch.nn.functional import softplus

from ganzoo import api
from tests.zoo import TINY, equal, full, small, tensors, trainer

SHAPE = (1, 6, 5)
LABELLED = Random({"real": {"kind": "image", "shape": list(SHAPE)}, "label": {"kind": "label"}}, count=40)


def test_nothing_has_a_bias_or_a_scale() -> None:
    for part in (Generator(3, SHAPE, (0.0, 1.0), 8), Encoder(SHAPE, 3, 8), Discriminator(SHAPE, 3, 8)):
        assert all(parameter.ndim == 2 for parameter in part.parameters())


def test_codes_lie_where_the_prior_does() -> None:
    x = torch.rand(20, *SHAPE)
    out = Encoder(SHAPE, 3, 8, init_scale=2.0)(x)
    torch.testing.assert_close(out.code, (out.logits / 2).tanh())
    assert out.code.abs().max() <= 1 < out.logits.abs().max()
    assert out.features.shape == (20, 8)
    free = Encoder(SHAPE, 3, 8, bounded=False)(x)
    assert torch.equal(free.code, free.logits)


def test_the_code_enters_the_generator_twice_and_decides_with_the_image() -> None:
    torch.manual_seed(0)
    z, x = torch.rand(8, 3), torch.rand(8, *SHAPE)
    generator, judge = Generator(3, SHAPE, (0.0, 1.0), 8, init_scale=1.0), Discriminator(SHAPE, 3, 8, init_scale=1.0)
    before = generator(z)
    with torch.no_grad():
        generator.again.weight.zero_()
    assert not torch.allclose(generator(z), before)
    with torch.no_grad():
        generator.first[0].weight.zero_()
    assert torch.equal(generator(z), generator(z.roll(1, 0)))
    assert not torch.allclose(judge(x, z).logit, judge(x, z.roll(1, 0)).logit)
    assert not torch.allclose(judge(x, z).logit, judge(x.roll(1, 0), z).logit)


@pytest.mark.parametrize("model", ["bigan/bigan", "bigan/fashion_mnist_sample"])
def test_the_encoder_and_the_generator_learn_against_the_discriminator(model: str) -> None:
    """One gradient for both, of the labels changed; D's is that of the labels as they are."""
    tr = trainer(small(model, optimizer={"use": "optimizer.sgd", "lr": 0.1}, **{"train.log_every": 1}))
    start = tensors(tr.parts, "G", "E", "D")
    seen = []
    tr.parts["D"].register_forward_hook(lambda module, args, out: seen.append(out.logit.detach()))
    tr.advance()
    real, fake = seen
    values = tr.meters.read()
    expected = 0.5 * (softplus(-real).mean() + softplus(fake).mean()).item()
    assert math.isclose(values["D.adversarial"], expected, rel_tol=1e-4)
    swapped = 0.5 * (softplus(real).mean() + softplus(-fake).mean()).item()
    both = 0.5 * (values["GE.adversarial"] + values["GE.encoding"])  # logged without their weights
    assert math.isclose(both, swapped, rel_tol=1e-4)
    for part in "GED":
        assert not equal({k: v for k, v in start.items() if k.startswith(part)}, tensors(tr.parts, part))


def test_images_and_codes_are_made_once_a_step() -> None:
    tr = trainer(small("bigan/fashion_mnist_sample"))
    seen: dict[str, list[int]] = {part: [] for part in "GEDR"}
    for part, calls in seen.items():
        tr.parts[part].register_forward_hook(lambda *_, calls=calls: calls.append(1))
    start = tensors(tr.parts, "R")
    tr.advance()
    assert {part: len(calls) for part, calls in seen.items()} == {"G": 1, "E": 1, "D": 2, "R": 0}
    assert equal(start, tensors(tr.parts, "R"))


def test_nearest_neighbours_are_found_among_the_rows_that_were_trained_on() -> None:
    metric = NearestNeighbour(LABELLED)
    rows = LABELLED.batch(torch.arange(40), torch.device("cpu"))
    assert metric(rows["real"], rows["label"]).values == 1.0
    other = (rows["label"] + 1) % 10
    assert metric(rows["real"], other).values == 0.0
    alike = metric(rows["real"], rows["label"], lambda x: x.flatten(1)[:, :0].sum(1))  # all codes are one
    assert alike.values == (rows["label"] == rows["label"][0]).double().mean().item()
    lost = metric(rows["real"], rows["label"], lambda x: x / 0)
    assert not math.isfinite(lost.values)


@pytest.mark.slow
def test_encoders_are_compared_in_a_run_with_more_rows_to_train_on_than_held_out(tmp_path) -> None:
    overrides = {**full("bigan/fashion_mnist_sample").spec.about.small, **TINY}
    overrides |= {"train.steps": 1, "evaluate.n": 150, "train.batch": 64}
    run = api.Model("bigan/fashion_mnist_sample", overrides).train(tmp_path / "run", quiet=True)
    names = {"nearest", "hidden", "random", "random_hidden", "pixels"}
    found = {record.metric: next(iter(record.values.values())) for record in run.evaluate()}
    assert names <= found.keys()
    assert found["pixels"] > 0.7
