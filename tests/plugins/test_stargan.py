"""StarGAN: the authors' layers, maps of a domain that survive instance norm, and who learns classes from what."""

from __future__ import annotations

import pytest
import torch
from ganzoo_conditional.heads import ClassHead
from ganzoo_cyclegan.generator import Generator as Reflected
from ganzoo_stargan.networks import Discriminator, Generator
from torch import nn

from ganzoo.model import explain
from tests.zoo import full, small, tensors, trainer


@pytest.mark.parametrize(("domains", "generator", "judge"), [(5, 8_430_528, 44_762_048), (8, 8_439_936, 44_786_624)])
def test_counts_of_the_code(domains: int, generator: int, judge: int) -> None:
    with torch.device("meta"):
        assert explain.count(Generator(3 + domains, (128, 128), 3)) == generator
        head = ClassHead(2048 * 2 * 2, domains, bias=False)
        assert explain.count(Discriminator(3, (128, 128))) + explain.count(head) == judge


def test_only_the_convolutions_of_d_have_biases_and_only_g_has_norms() -> None:
    made, judge = Generator(4, (16, 16), 1, width=2), Discriminator(1, (64, 64), width=1, layers=6)
    assert all(m.bias is None for m in made.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
    assert all(m.affine and not m.track_running_stats for m in made.modules() if isinstance(m, nn.InstanceNorm2d))
    assert "".join(type(layer).__name__[0] for layer in judge.body) == "CL" * 6
    assert all(layer.bias is not None for layer in judge.body if isinstance(layer, nn.Conv2d))
    assert judge.head.bias is None


def test_a_constant_map_is_lost_behind_reflected_edges_and_not_behind_zeros() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 1, 16, 16)
    asked = [torch.cat([image, torch.full_like(image, level)], 1) for level in (0.0, 1.0)]
    for network, told in ((Generator(2, (16, 16), 1, width=4), True), (Reflected(2, (16, 16), 1, width=4), False)):
        first, second = (network(x) for x in asked)
        assert ((first - second).abs().max() > 1e-2) == told, type(network)


def test_the_class_head_without_bias_is_a_convolution_of_the_maps_size() -> None:
    judge, head = Discriminator(1, (12, 8), width=2, layers=2), ClassHead(4 * 3 * 2, 5, bias=False)
    x = torch.rand(3, 1, 12, 8)
    seen = judge(x)
    assert seen.logit.shape == (3, 1, 3, 2)
    weight = head.linear.weight.unflatten(1, (4, 3, 2))
    torch.testing.assert_close(head(seen.features), nn.functional.conv2d(judge.body(x), weight).flatten(1))


@pytest.mark.parametrize(("size", "near"), [((30, 32), "28x32 or 32x32"), ((4, 4), "8x8")])
def test_sizes_that_cannot_be_halved_twice_are_refused(size: tuple[int, int], near: str) -> None:
    with pytest.raises(ValueError, match=near):
        Generator(3, size, 3, width=2)
    with pytest.raises(ValueError, match=near):
        Generator(3, (8, 8), 3, width=2)(torch.rand(1, 3, *size))


def test_an_image_that_leaves_no_map_is_refused() -> None:
    assert Discriminator(3, (64, 80), width=1, layers=6)(torch.rand(2, 3, 64, 80)).logit.shape == (2, 1, 1, 1)
    with pytest.raises(ValueError, match="at least 64"):
        Discriminator(3, (63, 80), width=1, layers=6)
    depths = {side: len(Discriminator(3, (side, side), width=1).body) // 2 for side in (2, 28, 63, 64, 128, 512)}
    assert depths == {2: 1, 28: 3, 63: 4, 64: 5, 128: 6, 512: 6}


def test_d_learns_classes_from_real_images_and_g_from_the_domain_it_was_asked_for() -> None:
    (phase,) = full("stargan/fashion_mnist_sample").spec.phases.values()
    terms = {name: {key: term.text for key, term in player.terms.items()} for name, player in phase.players.items()}
    assert [(name, player.repeat) for name, player in phase.players.items()] == [("D", 5), ("G", 1)]
    assert terms["D"]["class_real"] == "cross_entropy(C(d_real.features), label)"
    assert terms["G"]["class_fake"] == "cross_entropy(C(d_fake.features), target)"
    assert not {"class_fake", "reconstruction"} & set(terms["D"])


def test_a_step_trains_every_part() -> None:
    training = trainer(small("stargan/fashion_mnist_sample"))
    before = tensors(training.parts, "G", "D", "C")
    training.advance()
    after = tensors(training.parts, "G", "D", "C")
    assert training.finite()
    assert {name.split(".")[0] for name, old in before.items() if not torch.equal(old, after[name])} == {"G", "D", "C"}
