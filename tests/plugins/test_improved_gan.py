"""Learning from few labels: the loss by hand, the layers, the data that labels few images, and who is told what."""

from __future__ import annotations

import pytest
import torch
from ganzoo_improved_gan.few import FashionFew
from ganzoo_improved_gan.networks import AnyClass, Classifier, Generator
from torch.nn.functional import log_softmax

from ganzoo import api
from ganzoo.errors import UserError
from tests.zoo import equal, small, tensors, trainer


def test_any_class_is_what_is_left_of_a_class_whose_logit_is_zero() -> None:
    logits = torch.randn(6, 4)
    whole = log_softmax(torch.cat([logits, torch.zeros(6, 1)], 1), 1)
    assert torch.allclose(AnyClass()(logits).sigmoid(), whole[:, :4].exp().sum(1))


def test_weights_have_length_one_and_noise_is_for_training() -> None:
    torch.manual_seed(0)
    part = Classifier((1, 4, 4), 3, hidden=(8, 6))
    for index in (1, 4):
        assert torch.allclose(part.body[index].weight.norm(dim=1), torch.ones(len(part.body[index].weight)))  # type: ignore[operator, union-attr, arg-type]
    x = torch.rand(5, 1, 4, 4)
    assert not torch.equal(part(x).logits, part(x).logits)
    part.eval()
    assert torch.equal(part(x).logits, part(x).logits)
    assert part(x).features.shape == (5, 6)
    scaled = Classifier((1, 4, 4), 3, hidden=(8, 6), input_noise=0.0, noise=0.0)
    assert torch.equal(scaled(x).logits, scaled(x).logits)


def test_images_lie_in_the_range_of_the_data() -> None:
    made = Generator(4, (1, 3, 3), (-1.0, 1.0), hidden=(8,))(3 * torch.randn(50, 4))
    assert made.shape == (50, 1, 3, 3)
    assert -1 <= made.min() < 0 < made.max() <= 1


def test_few_images_are_labelled_as_many_of_each_class_and_all_seen_alike() -> None:
    data = FashionFew(labels=20)
    assert {len(rows) for name, rows in data.arrays.items() if name != "real"} == {20}
    assert torch.bincount(torch.as_tensor(data.arrays["label"])).tolist() == [2] * 10
    batch = data.batch(torch.arange(15, 35), torch.device("cpu"))  # across two rounds
    assert batch["real"].shape == batch["few"].shape == (20, 1, 28, 28)
    rounds = data.batch(torch.arange(40, 80), torch.device("cpu"))["label"]
    assert torch.bincount(rounds).tolist() == [4] * 10, "two rounds show every labelled image twice"
    assert rounds[:20].tolist() != rounds[20:].tolist(), "each in an order of its own"
    again = data.batch(torch.arange(40, 80), torch.device("cpu"))["label"]
    assert torch.equal(rounds, again)


def test_labels_belong_to_their_images_in_both_splits() -> None:
    data = FashionFew(labels=20)
    whole = data.whole("train").arrays
    for image, label in zip(data.arrays["few"], data.arrays["label"], strict=True):
        assert label in whole["label"][(whole["real"] == image).all((1, 2, 3))]
    held = data.held_out()
    assert held is not None and (held.arrays["few"] == held.arrays["real"]).all()
    assert len(held.arrays["label"]) == 2000
    assert not (FashionFew(labels=20, choice=1).arrays["few"] == data.arrays["few"]).all()


def test_wrong_numbers_of_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the 10 classes"):
        FashionFew(labels=15)
    with pytest.raises(UserError, match="a class has only 1000 images"):
        api.Model("improved_gan/fashion_mnist_sample", {"data.labels": 20000}).train(quiet=True)
    with pytest.raises(UserError, match="cannot be packed"):
        next(FashionFew().chunks())


def test_the_generator_learns_from_features_alone_and_the_classifier_from_three_terms() -> None:
    tr = trainer(small("improved_gan/fashion_mnist_sample", **{"train.log_every": 1}))
    before = tensors(tr.parts, "G", "C")
    tr.advance()
    assert set(tr.meters.read()) >= {"C.label", "C.adversarial", "G.match"}
    for part in "GC":
        assert not equal({k: v for k, v in before.items() if k.startswith(part)}, tensors(tr.parts, part))
