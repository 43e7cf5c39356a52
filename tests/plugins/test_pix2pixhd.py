"""pix2pixHD: counts, coarse to fine, edges and features of instances, features matched, what trains when."""

from __future__ import annotations

import pytest
import torch
from ganzoo_losses.losses import L1
from ganzoo_pix2pixhd.discriminator import Discriminator
from ganzoo_pix2pixhd.generators import GlobalGenerator, LocalEnhancer
from ganzoo_pix2pixhd.instances import Halve, InstanceEdges, InstanceEncoder, averaged
from torch import nn

from ganzoo.model.calls import zipped
from tests.zoo import equal, full, small, tensors, trainer


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_networks_have_the_papers_sizes() -> None:
    with torch.device("meta"):
        coarse = GlobalGenerator(36, (512, 1024), 3)
        assert count(coarse) == 182_546_755
        assert count(coarse.body) + count(LocalEnhancer(36, (1024, 2048), 64, 3)) == 182_857_059
        assert count(Discriminator(3, 36)) == 2_801_601
        assert count(InstanceEncoder(3, (512, 1024))) == 788_803
        assert count(GlobalGenerator(3, (64, 64), 3, downs=2, blocks=3)) == 4_297_219


def test_scales_of_the_discriminator_at_256() -> None:
    with torch.device("meta"):
        judge, image = Discriminator(3, width=2), torch.empty(1, 3, 256, 256)
        assert [judge(Halve(times)(image) if times else image).logit.shape[-1] for times in (0, 1, 2)] == [35, 19, 11]
        assert len(judge(image).maps) == 4


def test_the_enhancer_adds_the_maps_of_the_coarse_generator() -> None:
    torch.manual_seed(0)
    coarse = GlobalGenerator(1, (16, 16), 3, width=4, downs=2, blocks=1)
    fine = LocalEnhancer(1, (32, 32), 4, 3, blocks=1)
    x = torch.randn(2, 1, 32, 32)
    made = coarse(Halve()(x))
    assert made.image.shape == (2, 3, 16, 16) and made.maps.shape == (2, 4, 16, 16)
    assert torch.equal(made.image, coarse.tail(made.maps))
    assert torch.equal(fine(x, made.maps), fine.up(fine.down(x) + made.maps))
    with pytest.raises(ValueError, match="30x30 cannot be halved 2 times; 28x28 or 32x32 would do"):
        coarse(torch.zeros(1, 1, 30, 30))


def test_edges_of_instances() -> None:
    things = torch.tensor([[1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 1, 1], [1, 1, 1, 3]]).float()[None, None]
    wanted = torch.tensor([[0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]).float()[None, None]
    assert torch.equal(InstanceEdges()(things), wanted)
    assert torch.equal(InstanceEdges()(things.expand(1, 3, 4, 4)), wanted)


def test_features_are_the_means_over_things_of_one_image() -> None:
    maps = torch.arange(16.0).view(2, 1, 2, 4)
    things = torch.tensor([[[[0, 0, 5, 5], [0, 0, 5, 5]]], [[[0, 0, 0, 0], [0, 0, 0, 5]]]])
    found = averaged(maps, things)
    assert found[0, 0].tolist() == [[2.5, 2.5, 4.5, 4.5], [2.5, 2.5, 4.5, 4.5]]
    assert found[1, 0, 1, 3] == 15 and torch.allclose(found[1, 0].flatten()[:7], torch.tensor(11.0))
    torch.manual_seed(0)
    encoder = InstanceEncoder(3, (16, 16), width=2, downs=2)
    x, one = torch.randn(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    assert torch.allclose(encoder(x, one), encoder(x).mean((2, 3), keepdim=True).expand(1, 3, 16, 16), atol=1e-6)


def test_halving_counts_no_padding() -> None:
    assert torch.allclose(Halve()(torch.ones(1, 1, 6, 8)), torch.ones(1, 1, 3, 4))


def test_features_are_matched_over_all_maps_but_not_the_logit() -> None:
    torch.manual_seed(0)
    judge = Discriminator(3, width=2)
    real, fake = judge(torch.randn(2, 3, 32, 32)), judge(torch.randn(2, 3, 32, 32))
    mean = zipped(L1(), [False, False], set())(fake.maps, real.maps)
    each = [(a - b).abs().mean() for a, b in zip(fake.maps, real.maps, strict=True)]
    assert len(each) == 4
    assert torch.allclose(mean, sum(each) / 4)
    layers, scales = 3, 3
    paper = 10 * 4 / (layers + 1) / scales * sum(each)
    term = next(
        t for t in full("pix2pixhd/pix2pixhd").spec.phases["joint"].players["G"].terms.values() if t.name == "features0"
    )
    assert torch.allclose(term.factor * mean, paper, rtol=1e-5)


def test_each_phase_trains_its_networks() -> None:
    tr = trainer(small("pix2pixhd/openmoji", steps=3))
    moved = []
    for _ in range(3):
        before = {name: tensors(tr.parts, name) for name in ("G", "L", "D0", "D1", "D2")}
        tr.advance()
        moved.append({name for name, was in before.items() if not equal(was, tensors(tr.parts, name))})
    assert moved == [{"G", "D1", "D2"}, {"L", "D0", "D1", "D2"}, {"G", "L", "D0", "D1", "D2"}]
