"""Self-attention, norms that are told a vector, and the generator that has both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_biggan.generator import Generator
from ganzoo_layers import SelfAttention, VectorNorm
from ganzoo_resnet.discriminator import Discriminator
from torch import nn
from torch.nn.functional import batch_norm

import ganzoo
from ganzoo.cli import app
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.start import train
from tests.zoo import small


def test_attention_is_nothing_at_first_and_reads_by_weights_that_add_up_to_one() -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(16), torch.randn(2, 16, 6, 10)
    assert torch.equal(attention(x), x)
    weights = attention.weights(x)
    assert weights.shape == (2, 60, 15)
    assert torch.allclose(weights.sum(2), torch.ones(2, 60))
    assert sum(p.numel() for p in attention.parameters()) == 16 * 16 * 5 // 4 + 1


def test_attention_of_equal_places_reads_their_value() -> None:
    attention = SelfAttention(8)
    nn.init.ones_(attention.gamma)
    x = torch.randn(1, 8, 1, 1).expand(1, 8, 4, 4)
    value = attention.o(attention.g(x))
    assert torch.allclose(attention(x), x + value, atol=1e-6)


def test_attention_sees_distant_places() -> None:
    attention = SelfAttention(8)
    nn.init.ones_(attention.gamma)
    x = torch.randn(1, 8, 8, 8, requires_grad=True)
    attention(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None and x.grad[0, :, 6:, 6:].abs().sum() > 0


def test_a_norm_that_is_told_a_vector() -> None:
    norm, x, c = VectorNorm(3, 5), torch.randn(4, 3, 2, 2), torch.randn(4, 5)
    gain, bias = c @ norm.gain.weight.T, c @ norm.bias.weight.T
    plain = batch_norm(x, None, None, training=True)
    assert torch.allclose(norm(x, c), (1 + gain[:, :, None, None]) * plain + bias[:, :, None, None], atol=1e-5)


def generator(**changes: object) -> Generator:
    wanted = {
        "z_dim": 12,
        "out_channels": 1,
        "out_size": (28, 28),
        "num_classes": 4,
        "width": 8,
        "shared": 6,
        "chunks": True,
    }
    return Generator(**{**wanted, **changes})  # type: ignore[arg-type]


def test_every_chunk_and_the_class_reach_the_image() -> None:
    torch.manual_seed(0)
    made, z, label = generator(), torch.randn(2, 12, requires_grad=True), torch.tensor([0, 1])
    made(z, label).sum().backward()
    assert z.grad is not None
    assert (z.grad.unflatten(1, (3, 4)).abs().sum(2) > 0).all(), "three chunks: the smallest map, and two blocks"
    made.eval()
    assert not torch.allclose(made(z, label), made(z, label.flip(0)))


def test_what_cannot_be_built_says_why() -> None:
    with pytest.raises(ValueError, match="13 cannot be cut into 3 chunks"):
        generator(z_dim=13)
    with pytest.raises(ValueError, match="chunks needs shared"):
        generator(shared=0)
    with pytest.raises(ValueError, match="attention is 16, but maps have sides of 14, 28"):
        generator(attention=16)
    with pytest.raises(ValueError, match="attention is 5, but maps have sides of 14, 7"):
        Discriminator(1, (28, 28), width=8, base=7, attention=5)


def test_attention_stands_behind_the_block_that_gives_its_size() -> None:
    d = Discriminator(3, (128, 128), width=8, base=4, plain=1, attention=32)
    seen = {}
    for index, layer in enumerate(d.body):
        layer.register_forward_hook(
            lambda layer, _, out, index=index: seen.update({index: (type(layer), out.shape[-1])})
        )
    d(torch.randn(1, 3, 128, 128))
    assert [side for kind, side in seen.values() if kind is SelfAttention] == [32]
    assert list(seen) == list(range(len(d.body)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("biggan") / "run"
    train(
        small("biggan/fashion_mnist_sample", 2, **{"evaluate.every": None}).blueprint,
        folder,
        plugins.installed(),
        quiet=True,
    )
    return folder


def test_a_trained_model_is_sampled_with_a_truncated_prior(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ganzoo.open(run)
    z = opened.compute("z", n=500, truncation=0.5)
    assert z.abs().max() <= 0.5 < opened.compute("z", n=500).abs().max()
    assert torch.equal(opened.compute("z", n=5), ganzoo.open(run).compute("z", n=5)), "the run itself is as it was"
    out = tmp_path / "a.npy"
    words = ["sample", str(run), "-n", "4", "label=3", "truncation=0.5", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["ganzoo", *words])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 0
    expected = opened.sample(4, label=3, truncation=0.5)
    assert torch.allclose(torch.from_numpy(np.load(out)), expected, atol=1e-6)


def test_a_truncation_that_cannot_be_is_refused(run: Path) -> None:
    with pytest.raises(UserError, match=r"truncation.*above 0"):
        ganzoo.open(run).sample(2, label=3, truncation=-1)
    with pytest.raises(UserError, match="there is no input 'truncatoin'"):
        ganzoo.open(run).sample(2, label=3, truncatoin=1)


def test_standing_statistics_are_of_batches_made_afresh_and_leave_no_trace(run: Path) -> None:
    opened = ganzoo.open(run)
    g = opened.parts["G"]
    norms = [m for m in g.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [m.running_mean.clone() for m in norms]  # type: ignore[union-attr]
    label = torch.arange(10).repeat(10)
    first, again = (opened.sample(100, label=label, seed=seed) for seed in (1, 1))
    assert torch.equal(first, again)
    assert all(torch.equal(a, m.running_mean) for a, m in zip(before, norms, strict=True))  # type: ignore[arg-type]
    few = opened.sample(64, label=label[:64], seed=1)
    assert torch.allclose(first[:64], few, atol=1e-5), "they depend neither on how many are made, nor on labels given"
    with torch.no_grad():
        for norm in norms:
            norm.running_mean.add_(5.0)  # type: ignore[union-attr]
    assert torch.allclose(opened.sample(64, label=label[:64], seed=1), few, atol=1e-5), "running ones are not read"
    assert opened.evaluate(["asked"], n=20)[0].protocol["statistics"] == {"G": "standing statistics"}
