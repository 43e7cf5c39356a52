"""Networks that are given a class, networks that guess codes, and what is measured of them."""

from __future__ import annotations

import math

import pytest
import torch
from ganzoo_conditional.cgan import Discriminator as CganD
from ganzoo_conditional.cgan import Generator as CganG
from ganzoo_dcgan.discriminator import Discriminator as DcganD
from ganzoo_dcgan.generator import Generator as DcganG
from ganzoo_infogan.guess import CodeHead
from ganzoo_infogan.measures import Information, MajorityMatch
from ganzoo_layers import ClassNorm, Projection
from ganzoo_losses.information import CategoricalInformation, GaussianInformation
from ganzoo_ops.codes import Maps, Stack, Vary
from ganzoo_resnet.discriminator import Discriminator as ResnetD
from ganzoo_resnet.generator import Generator as ResnetG
from torch import nn
from torch.nn import functional as F

import ganzoo
from ganzoo.errors import UserError
from tests.zoo import small, tensors, trainer

LABEL = torch.tensor([0, 2, 1, 2])


def test_class_norm_is_batch_norm_with_the_gains_of_each_class() -> None:
    layer, x = ClassNorm(3, 4), torch.randn(4, 3, 5, 5)
    assert torch.allclose(layer(x, LABEL), nn.BatchNorm2d(3)(x), atol=1e-6)
    with torch.no_grad():
        layer.gain.weight[2] = torch.tensor([2.0, 3.0, 4.0])
        layer.bias.weight[2] = 5.0
    expected = nn.BatchNorm2d(3)(x)
    expected[LABEL == 2] = expected[LABEL == 2] * torch.tensor([2.0, 3.0, 4.0])[:, None, None] + 5
    assert torch.allclose(layer(x, LABEL), expected, atol=1e-5)


@pytest.mark.parametrize("network", [ResnetG, DcganG])
def test_a_class_conditional_generator_starts_as_the_plain_one(network: type) -> None:
    """With equal weights, all gains 1 and all biases 0, it gives the same images."""
    args = {"z_dim": 6, "out_channels": 1, "out_size": (16, 16), "width": 8}
    found = []
    for classes in (0, 3):
        torch.manual_seed(1)
        part = network(**args, num_classes=classes)
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) and module.affine:
                nn.init.ones_(module.weight)
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.constant_(module.weight[::2], 0.01)
                nn.init.constant_(module.weight[1::2], -0.02)
        z = torch.linspace(-1, 1, 24).reshape(4, 6)
        found.append(part(z, LABEL) if classes else part(z))
    assert torch.allclose(*found, atol=1e-5)
    assert found[0].std() > 0


@pytest.mark.parametrize("network", [ResnetG, DcganG])
def test_the_gains_of_a_class_change_its_images_alone(network: type) -> None:
    part = network(z_dim=6, out_channels=1, out_size=(16, 16), width=8, num_classes=3).eval()
    z = torch.randn(4, 6)
    before = part(z, LABEL)
    with torch.no_grad():
        for module in part.modules():
            if isinstance(module, ClassNorm):
                module.gain.weight[2] *= 1.5
                module.bias.weight[2] += 0.5
    changed = (part(z, LABEL) - before).abs().amax((1, 2, 3)) > 0
    assert changed.tolist() == [False, True, False, True]


@pytest.mark.parametrize("network", [ResnetD, DcganD])
def test_the_logit_is_linear_in_the_vector_of_the_class(network: type) -> None:
    part = network(in_channels=1, in_size=(16, 16), width=8, num_classes=3).eval()
    x = torch.randn(4, 1, 16, 16)
    one, other = part(x, LABEL), part(x, LABEL * 0)
    vectors = next(m for m in part.modules() if isinstance(m, Projection)).vectors.weight
    expected = ((vectors[LABEL] - vectors[0]) * one.features).sum(1)
    assert torch.allclose(one.logit - other.logit, expected, atol=1e-5)


@pytest.mark.parametrize("network", [ResnetD, DcganD])
def test_a_label_is_never_ignored(network: type) -> None:
    x = torch.randn(4, 1, 16, 16)
    with pytest.raises(ValueError, match="every call needs a label"):
        network(1, (16, 16), width=8, num_classes=3)(x)
    with pytest.raises(ValueError, match="called with a label"):
        network(1, (16, 16), width=8)(x, LABEL)


def test_only_batch_norm_has_gains_of_each_class() -> None:
    with pytest.raises(ValueError, match="norm layer has no gains"):
        DcganG(6, 1, (16, 16), width=8, norm="layer", num_classes=3)


def test_the_label_has_its_branch_in_both_networks_of_cgan() -> None:
    G, D = CganG(5, (1, 4, 4), (0.0, 1.0), num_classes=3).eval(), CganD((1, 4, 4), num_classes=3).eval()
    z, x = torch.randn(1, 5).repeat(4, 1), torch.rand(1, 1, 4, 4).repeat(4, 1, 1, 1)
    images, verdict = G(z, LABEL), D(x, LABEL)
    assert torch.equal(images[1], images[3])
    assert not torch.allclose(images[0], images[1])
    assert verdict.logit[1] == verdict.logit[3]
    assert verdict.logit[0] != verdict.logit[1]
    assert 0 <= images.min() < images.max() <= 1
    assert D.image.pieces == 5 and D.label.branch.pieces == 5 and D.joint[1].pieces == 4
    assert CganG(5, (2,))(z).shape == (4, 2)


def test_information_is_nothing_for_a_guess_at_random_and_log_k_for_a_perfect_one() -> None:
    information = CategoricalInformation()
    code = F.one_hot(torch.arange(10), 10).float()
    assert information(torch.zeros(10, 10), code).item() == pytest.approx(0, abs=1e-6)
    assert information(100 * code, code).item() == pytest.approx(-math.log(10))
    logits = torch.randn(10, 10)
    expected = F.cross_entropy(logits, torch.arange(10)) - math.log(10)
    assert torch.allclose(information(logits, code), expected)
    assert torch.allclose(information(logits, torch.arange(10)), expected)
    assert Information()(logits, code) == pytest.approx(-expected.item(), rel=1e-5)


def test_information_of_several_codes_adds_up() -> None:
    logits, codes = torch.randn(6, 12), torch.cat([F.one_hot(torch.randint(4, (6,)), 4).float() for _ in range(3)], 1)
    one = CategoricalInformation()
    parts = zip(logits.split(4, 1), codes.split(4, 1), strict=True)
    assert torch.allclose(CategoricalInformation(codes=3)(logits, codes), sum(one(x, c) for x, c in parts))


def test_gaussian_information_is_the_density_of_torch() -> None:
    mu, logvar, code = torch.randn(7, 2), torch.randn(7, 2), torch.rand(7, 2) * 2 - 1
    normal = torch.distributions.Normal(mu, (logvar / 2).exp())
    expected = -normal.log_prob(code).sum(1).mean() - 2 * math.log(2)
    assert torch.allclose(GaussianInformation()(mu, code, logvar), expected, atol=1e-5)
    fixed = -torch.distributions.Normal(mu, 1.0).log_prob(code).sum(1).mean() - 2 * math.log(2)
    assert torch.allclose(GaussianInformation()(mu, code), fixed, atol=1e-5)


def test_what_cannot_be_is_refused() -> None:
    for make in (
        lambda: ganzoo.make("loss.categorical_information", codes=0),
        lambda: GaussianInformation(1, 1),
        lambda: CodeHead(4, 0, 0),
    ):
        with pytest.raises((ValueError, UserError), match=r"should be|at least"):
            make()
    with pytest.raises(ValueError, match="no numbers 3 to 3 in vectors of 3"):
        Vary()(torch.zeros(2, 3), 3)


def test_information_reaches_g_the_trunk_and_q() -> None:
    """Without the adversarial term: D's turn trains trunk and Q, G's turn trains G, each by the information alone."""
    model = small("infogan/infogan", **{f"players.{p}.minimize.adversarial": None for p in "DG"}, share=[])
    tr = trainer(model)
    before = tensors(tr.parts)
    tr.advance()
    after = tensors(tr.parts)
    moved = {
        name.split(".")[0] + "." + name.split(".")[1] for name in before if not torch.equal(before[name], after[name])
    }
    assert {"G.stem", "G.levels", "D.body", "Q.body", "Q.head"} <= moved
    assert torch.equal(before["D.head.weight"], after["D.head.weight"]), "the head of D has nothing to say on codes"


def test_codes_are_varied_with_the_rest_held() -> None:
    z = torch.randn(2, 6)
    rows = Vary(-2, 2, 5)(z, 4).view(2, 5, 6)
    assert torch.equal(rows[1, :, 4], torch.linspace(-2, 2, 5))
    assert torch.equal(rows[1][:, [0, 1, 2, 3, 5]], z[1, [0, 1, 2, 3, 5]].expand(5, 5))
    kinds = Vary()(z, 1, 4).view(2, 3, 6)
    assert torch.equal(kinds[0, :, 1:4], torch.eye(3))
    assert torch.equal(kinds[0][:, [0, 4, 5]], z[0, [0, 4, 5]].expand(3, 3))
    assert Stack()(z, z[:1]).shape == (3, 6)


def test_a_label_as_maps() -> None:
    maps = Maps()(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.zeros(2, 3, 4, 5))
    assert maps.shape == (2, 2, 4, 5)
    assert (maps[0, 0] == 1).all() and (maps[0, 1] == 0).all()


def test_the_majority_of_each_code() -> None:
    match = MajorityMatch()
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    codes = F.one_hot(torch.tensor([2, 2, 0, 0, 1, 1]), 3).float()
    assert match(codes, labels) == 1
    assert match(torch.zeros(6, 3), labels) == pytest.approx(1 / 3), "one code for all matches one class"
    assert match(codes, torch.tensor([0, 1, 1, 1, 2, 2])) == pytest.approx(5 / 6)
    assert match(codes, F.one_hot(labels, 3)) == 1
