"""CoGAN: what is shared is the same object, what is not shown in pairs is not, and what agreement means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ganzoo_adversarial.logistic import NonSaturating
from ganzoo_cogan.agreement import Agreement
from ganzoo_cogan.dcgan import Discriminator as CoupledD
from ganzoo_cogan.dcgan import Generator as CoupledG
from ganzoo_cogan.discriminator import Discriminator
from ganzoo_cogan.edges import Edges, FashionEdges, edges
from ganzoo_cogan.generator import Generator
from ganzoo_data.fashion_sample import FashionMnistSample
from torch import nn
from torch.nn.functional import cross_entropy

from ganzoo.model import explain
from tests.zoo import small, trainer

CPU = torch.device("cpu")


def generator(**args: Any) -> Generator:
    return Generator(**{"z_dim": 100, "out_channels": 1, "out_size": (28, 28), **args})


def discriminator(**args: Any) -> Discriminator:
    return Discriminator(**{"in_channels": 1, "in_size": (28, 28), **args})


def test_the_pairs_have_the_papers_counts() -> None:
    assert explain.count(generator()) == 7_842_694
    assert explain.count(discriminator()) == 427_593
    assert explain.count(discriminator()) + explain.count(nn.Linear(500, 10)) == 427_593 + 5_010


@pytest.mark.parametrize("shared", range(5))
def test_the_first_layers_of_the_generators_are_one_object(shared: int) -> None:
    network = generator(width=2, shared=shared)
    same = [id(a) == id(b) for a, b in zip(network.of("a"), network.of("b"), strict=True)]
    assert same == [True] * shared + [False] * (5 - shared)
    in_both = set(map(id, _weights(network.of("a")))) & set(map(id, _weights(network.of("b"))))
    assert bool(in_both) == bool(shared)


@pytest.mark.parametrize("shared", range(4))
def test_the_last_layers_of_the_discriminators_are_one_object(shared: int) -> None:
    network = discriminator(width=2, shared=shared)
    same = [id(a) == id(b) for a, b in zip(network.of("a"), network.of("b"), strict=True)]
    assert same == [False] * (4 - shared) + [True] * shared
    judged = network(torch.rand(3, 1, 28, 28), torch.rand(3, 1, 28, 28))
    judged.logit.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("domain", "ab")
def test_an_image_passes_the_layers_of_its_domain(domain: Any) -> None:
    network, judge = generator(width=2).eval(), discriminator(width=2)
    z = torch.randn(3, 100)
    x = z[:, :, None, None]
    for layer in network.of(domain):
        x = layer(x)
    torch.testing.assert_close(getattr(network(z), domain), x)
    image, other = x, torch.rand(3, 1, 28, 28)
    for layer in judge.of(domain):
        x = layer(x)
    judged = judge(image, other) if domain == "a" else judge(other, image)
    torch.testing.assert_close(judged.logit[:, "ab".index(domain)], x[:, 1] - x[:, 0])


def test_no_layer_sees_a_pair() -> None:
    judge = discriminator(width=2)
    x, y = torch.rand(2, 4, 1, 28, 28)
    together, moved = judge(x, y), judge(x, y.roll(1, 0))
    torch.testing.assert_close(moved.logit[:, 0], together.logit[:, 0])
    torch.testing.assert_close(moved.logit[:, 1], together.logit[:, 1].roll(1, 0))
    torch.testing.assert_close(judge(x).logit, together.logit[:, 0])
    torch.testing.assert_close(together.features, torch.cat([together.a, together.b], 1))


def test_the_loss_is_the_cross_entropy_of_two_classes_over_both_domains() -> None:
    judge = discriminator(width=2)
    real, fake = torch.rand(2, 2, 4, 1, 28, 28)

    def softmax(x: Any, label: int) -> torch.Tensor:
        logits = torch.cat([nn.Sequential(*judge.of(d))(image) for d, image in zip("ab", x, strict=True)])  # type: ignore[arg-type]
        return cross_entropy(logits, torch.full((8,), label))

    loss = NonSaturating()
    torch.testing.assert_close(loss.d(judge(*real).logit, judge(*fake).logit), softmax(real, 1) + softmax(fake, 0))
    torch.testing.assert_close(loss.g(judge(*fake).logit, judge(*real).logit), softmax(fake, 1))


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (27, 33), (64, 48), (16, 16)])
def test_any_size_and_channels_of_each_domain(size: tuple[int, int]) -> None:
    pair = generator(width=1, out_channels=3, out_size=size, channels_b=2)(torch.randn(2, 100))
    assert (pair.a.shape, pair.b.shape) == ((2, 3, *size), (2, 2, *size))
    judged = discriminator(width=2, in_channels=3, in_size=size, channels_b=2)(pair.a, pair.b)
    assert judged.logit.shape == (2, 2)
    with pytest.raises(ValueError, match=r"15x40 is too small.* 16"):
        discriminator(in_size=(15, 40))


def test_weights_start_as_in_the_code() -> None:
    network = generator(width=32)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0.1).all(), name
    half = (2 * 6 / (9 * (128 + 256))) ** 0.5  # Xavier's uniform with gain sqrt(2)
    weight = network.of("a")[1][0].weight  # type: ignore[index]
    assert 0.99 * half < weight.abs().max() <= half  # type: ignore[operator]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 4 and not any(norm.affine for norm in norms)


def test_edges_are_the_dilation_minus_the_image() -> None:
    image = np.zeros((1, 5, 6, 1), np.uint8)
    image[0, 2, 3] = 200
    found = edges(image)[0, :, :, 0]
    expected = np.zeros((5, 6), np.uint8)
    expected[1:4, 2:5] = 200
    expected[2, 3] = 0
    assert (found == expected).all()
    corner = np.zeros((1, 3, 3, 1), np.uint8)
    corner[0, 0, 0] = 9
    assert edges(corner)[0, :, :, 0].tolist() == [[0, 9, 0], [9, 9, 0], [0, 0, 0]]


def test_edges_of_samples_are_those_of_the_data() -> None:
    test = FashionEdges(range=(-1.0, 1.0)).held_out()
    assert test is not None
    batch = test.batch(torch.arange(8), CPU)
    torch.testing.assert_close(Edges((-1.0, 1.0))(batch["real_a"]), batch["real_b"])


def test_no_image_is_in_both_halves_and_rows_are_paired_anew() -> None:
    halves = FashionEdges()
    a, b = halves.arrays["real_a"], halves.arrays["real_b"]
    assert len(halves) == len(a) == len(b) == 5000
    assert not set(map(bytes, edges(a))) & set(map(bytes, b))
    index = torch.arange(100)
    first, second = halves.batch(index, CPU), halves.batch(index + len(halves), CPU)
    assert torch.equal(first["real_a"], second["real_a"])
    assert not torch.equal(first["real_b"], second["real_b"])


def test_labels_stay_with_their_images() -> None:
    halves, whole = FashionEdges(), FashionMnistSample().load()
    label = {bytes(edges(image[None])[0]): int(k) for image, k in zip(whole["real"], whole["label"], strict=True)}
    index = torch.arange(3 * len(halves) - 50, 3 * len(halves) + 50)
    batch = halves.batch(index, CPU)
    rows = (batch["real_b"] * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert [label[bytes(np.ascontiguousarray(row))] for row in rows] == batch["label_b"].tolist()


def test_the_test_images_are_in_both_domains_in_one_order() -> None:
    test = FashionEdges().held_out()
    assert test is not None and len(test) == 2000
    batch = test.batch(torch.arange(20), CPU)
    assert torch.equal(batch["label_a"], batch["label_b"])
    assert (edges(test.arrays["real_a"]) == test.arrays["real_b"]).all()


def test_agreement_knows_chance_and_the_largest_class() -> None:
    classes = torch.eye(4)
    x, y = classes[[0, 1, 2, 3, 0, 0]], classes[[0, 1, 2, 2, 1, 0]]
    values = Agreement()(x, y).values
    assert values == pytest.approx({"share": 4 / 6, "chance": (3 * 2 + 2 + 2) / 36, "largest": 0.5})
    one = Agreement()(classes[[1] * 6], classes[[1] * 6]).values
    assert one == {"share": 1.0, "chance": 1.0, "largest": 1.0}  # one class alone says nothing
    with pytest.raises(ValueError, match=r"\(6, 4\) and \(6, 3\)"):
        Agreement()(x, y[:, :3])


def test_labels_of_edges_train_nobody_in_adaptation() -> None:
    model = small("cogan/adaptation")
    terms = [term.text for p in model.spec.phases["train"].players.values() for term in p.terms.values()]
    assert any("label_a" in term for term in terms)
    assert not any("label_b" in term for term in terms)
    tr = trainer(model)
    tr.advance()
    assert tr.finite()


@pytest.mark.parametrize("coupled", [True, False])
def test_small_dcgans_are_coupled_by_the_same_objects(coupled: bool) -> None:
    network = CoupledG(8, 1, (28, 28), width=2, coupled=coupled)
    same = [id(a) == id(b) for a, b in zip(network.of("a"), network.of("b"), strict=True)]
    assert same == [coupled, coupled, False]  # the stem, 14x14, 28x28
    judge = CoupledD(1, (28, 28), width=2, coupled=coupled)
    alike = [id(a) == id(b) for a, b in zip(judge.of("a"), judge.of("b"), strict=True)]
    assert alike == [False, False, *[coupled] * (len(alike) - 2)]


def test_small_dcgans_judge_both_domains_in_one_batch() -> None:
    judge = CoupledD(1, (28, 28), width=2)
    x, y = torch.rand(2, 4, 1, 28, 28)
    judged = judge(x, y)
    features = nn.Sequential(*judge.shared)(torch.cat([judge.a(x), judge.b(y)]))
    torch.testing.assert_close(judged.features, torch.cat(features.chunk(2), 1))
    torch.testing.assert_close(judged.logit, torch.stack(judge.head(features).squeeze(1).chunk(2), 1))


def _weights(layers: list[nn.Module]) -> list[nn.Parameter]:
    return [p for layer in layers for p in layer.parameters()]
