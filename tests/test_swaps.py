"""Every adversarial loss and every regularizer on models with conditions, inputs or phases, by overrides alone.

Checked, or refused for a reason that is listed here.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import pytest

from ganzoo.errors import UserError
from ganzoo.model.calls import call_signature
from tests.test_matrix import LOSSES, REGISTRY, REGULARIZERS
from tests.zoo import small


class Judge(NamedTuple):
    """A discriminator as penalties take it: part, player, a function of the image, real and fake images."""

    part: str
    player: str
    critic: str
    real: str
    fake: str


JUDGES: dict[str, list[Judge]] = {
    "cgan/cgan": [Judge("D", "D", "D(_, label)", "real", "fake")],
    "cgan/fashion_mnist_sample": [Judge("D", "D", "D(join(_, maps(code, real)))", "real", "fake")],
    "acgan/fashion_mnist_sample": [Judge("D", "D", "D", "real", "fake")],
    "projection/fashion_mnist_sample": [Judge("D", "D", "D(_, label)", "real", "fake")],
    "biggan/fashion_mnist_sample": [Judge("D", "D", "D(_, label)", "real", "fake")],
    "infogan/fashion_mnist_sample": [Judge("D", "D", "D", "real", "fake")],
    "improved_gan/fashion_mnist_sample": [Judge("C", "C", "any_class(C(_))", "real", "fake")],
    "began/fashion_mnist_sample": [Judge("D", "D", "D", "real", "fake")],
    "ebgan/fashion_mnist_sample": [Judge("D", "D", "D", "real", "fake")],
    "r3gan/fashion_mnist_sample": [Judge("D", "D", "D", "real", "fake")],
    "pggan/fashion_mnist_sample": [Judge("D", "D", "D(_, level)", "seen", "fake")],
    "vae_gan/fashion_mnist_sample": [Judge("D", "D", "D", "real", "fake")],
    "bigan/fashion_mnist_sample": [Judge("D", "D", "D(_, code)", "real", "fake")],
    "cogan/fashion_edges": [Judge("D", "D", "D(_, real_b)", "real_a", "fake_a")],
    "pix2pix/openmoji": [Judge("D", "D", "D(_, a)", "b", "fake")],
    "cyclegan/openmoji": [Judge("D_a", "D", "D_a", "a", "fake_a"), Judge("D_b", "D", "D_b", "b", "fake_b")],
    "cut/openmoji": [Judge("D", "D", "D", "b", "fake_b")],
    "discogan/openmoji": [Judge("D_a", "D", "D_a", "real_a", "fake_a"), Judge("D_b", "D", "D_b", "real_b", "fake_b")],
    "srgan/photos": [Judge("D", "D", "D", "real", "sr")],
    "esrgan/photos": [Judge("D", "D", "D", "hr", "sr")],
    "inpainting/openmoji": [Judge("D", "D", "D", "image", "filled")],
    "denoising/fashion_mnist_sample": [Judge("D", "D", "D(_, noisy)", "clean", "denoised")],
    "pix2pixhd/openmoji": [Judge("D1", "D", "D1(_, a1)", "b1", "fake1"), Judge("D2", "D", "D2(_, a2)", "b2", "fake2")],
    "gan_cls/openmoji": [Judge("D", "D", "D(_, text)", "real", "fake")],
    "stackgan/openmoji": [
        Judge("D1", "D1", "D1(_, seen1)", "real1", "fake1"),
        Judge("D2", "D2", "D2(_, seen2)", "real", "fake"),
    ],
    "stackgan_pp/openmoji": [
        Judge("D1", "D1", "D1(_, seen)", "real1", "fake1"),
        Judge("D2", "D2", "D2(_, seen)", "real2", "fake2"),
        Judge("D3", "D3", "D3(_, seen)", "real", "fake"),
    ],
    "mc_gan/openmoji": [Judge("D", "D", "D(_, mask, seen)", "real", "fake")],
    "lapgan/classes": [
        Judge("D1", "D1", "D1(_, at1.coarse, label)", "at1.residual", "residual1"),
        Judge("D0", "D0", "D0(_, at0.coarse, label)", "at0.residual", "residual0"),
    ],
    "stylegan2/fashion_mnist_sample": [Judge("D", "D", "D", "x", "fake")],
    "ada/openmoji": [Judge("D", "D", "D(ada(_))", "x", "fake")],
    "sgan/fashion_mnist_sample": [Judge("D0", "D0", "D0", "real", "made0")],  # D1 judges features, not images
    "simgan/drawn_clothes": [Judge("D", "D", "D", "real_b", "refined")],
    "stargan/fashion_mnist_sample": [Judge("D", "D", "D", "x", "fake")],
    "gan3d/solids": [Judge("D", "D", "D", "real", "fake")],
    "rgan/classes": [Judge("D", "D", "D(_, label)", "real", "fake")],
    "zi2zi/letters": [Judge("D", "D", "D(_, source)", "real", "fake")],
    "attngan/openmoji": [
        Judge("D1", "D1", "D1(_, seen)", "real1", "fake1"),
        Judge("D2", "D2", "D2(_, seen)", "real2", "fake2"),
        Judge("D3", "D3", "D3(_, seen)", "real", "fake"),
    ],
}
NO_LINEAR_HEAD = "it has no linear `head` that reads the features"  # it is a convolution, or there is none
REFUSED = {
    ("stylegan2/fashion_mnist_sample", "regularizer.equalized_rate@with"): "its weights are scaled already",
    ("ada/openmoji", "regularizer.equalized_rate@with"): "its weights are scaled already",
    ("projection/fashion_mnist_sample", "regularizer.spectral_norm@with"): "its weights are reparametrised already",
    ("projection/fashion_mnist_sample", "regularizer.equalized_rate@with"): "its weights are reparametrised already",
    ("began/fashion_mnist_sample", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("began/fashion_mnist_sample", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("ebgan/fashion_mnist_sample", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("ebgan/fashion_mnist_sample", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("pix2pix/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("pix2pix/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("pix2pixhd/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("pix2pixhd/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("denoising/fashion_mnist_sample", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("denoising/fashion_mnist_sample", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("cyclegan/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("cyclegan/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("cut/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("cut/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("gan_cls/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("gan_cls/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("stackgan/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("stackgan/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("improved_gan/fashion_mnist_sample", "regularizer.spectral_norm@with"): "its weights are reparametrised already",
    ("improved_gan/fashion_mnist_sample", "regularizer.equalized_rate@with"): "its weights are reparametrised already",
    ("improved_gan/fashion_mnist_sample", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("improved_gan/fashion_mnist_sample", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("stackgan_pp/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("stackgan_pp/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("mc_gan/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("mc_gan/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("simgan/drawn_clothes", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("simgan/drawn_clothes", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("stargan/fashion_mnist_sample", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("stargan/fashion_mnist_sample", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("attngan/openmoji", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("attngan/openmoji", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("rgan/classes", "regularizer.minibatch_discrimination@with"): NO_LINEAR_HEAD,
    ("rgan/classes", "regularizer.minibatch_deviation@with"): NO_LINEAR_HEAD,
    ("rgan/classes", "augment.diffaugment@with"): "it is for images",
    ("rgan/classes", "augment.flip@with"): "it is for images",
    ("gan3d/solids", "augment.diffaugment@with"): "it is for images",
    ("pggan/fashion_mnist_sample", "regularizer.spectral_norm@with"): "its weights are reparametrised already",
    ("pggan/fashion_mnist_sample", "regularizer.equalized_rate@with"): "its weights are reparametrised already",
    ("biggan/fashion_mnist_sample", "regularizer.spectral_norm@with"): "its weights are reparametrised already",
    ("biggan/fashion_mnist_sample", "regularizer.equalized_rate@with"): "its weights are reparametrised already",
}
REFUSED |= {
    (model, "regularizer.virtual_batch_norm@with"): "it has no batch norm layer"
    for model in (
        "cgan/cgan",
        "projection/fashion_mnist_sample",
        "biggan/fashion_mnist_sample",
        "improved_gan/fashion_mnist_sample",
        "began/fashion_mnist_sample",
        "cyclegan/openmoji",
        "cut/openmoji",
        "lapgan/classes",
        "sgan/fashion_mnist_sample",
        "stargan/fashion_mnist_sample",
        "r3gan/fashion_mnist_sample",
        "pggan/fashion_mnist_sample",
        "pix2pixhd/openmoji",
        "simgan/drawn_clothes",
        "rgan/classes",
        "stylegan2/fashion_mnist_sample",
        "ada/openmoji",
    )
}


def put_on(judge: Judge, regularizer: str) -> dict[str, Any]:
    """Overrides that put a regularizer, as ``name@way``, on a discriminator."""
    name, way = regularizer.split("@")
    part = f"reg_{judge.part}"
    if way == "with":
        return {f"parts.{judge.part}.with.reg": name}
    if way == "after":
        return {f"players.{judge.player}.after.{part}": name}
    meaning = {"critic": judge.critic, "part": judge.part, "real": judge.real, "fake": judge.fake}
    taken = call_signature(REGISTRY.find(name).load()())
    term = f"{part}({', '.join(meaning[p] for p in taken.parameters)})"
    return {f"parts.{part}": name, f"players.{judge.player}.minimize.{part}": term}


def problem(model: str, overrides: dict[str, Any]) -> str | None:
    try:
        small(model, **overrides).check()
    except UserError as error:
        return error.problems[0].message
    return None


@pytest.mark.parametrize("model", JUDGES)
def test_takes_every_loss_and_every_regularizer_or_says_why_not(model: str) -> None:
    """Losses take turns beside the regularizers, of which there are more; one that is refused is no turn."""
    assert len(REGULARIZERS) - 1 - sum(name == model for name, _ in REFUSED) >= len(LOSSES), "each loss has a turn"
    losses = itertools.cycle(LOSSES)
    for regularizer in REGULARIZERS:
        expected = REFUSED.get((model, regularizer))
        overrides: dict[str, Any] = {} if expected else {"parts.adv": next(losses)}
        if regularizer != "none":
            for judge in JUDGES[model]:
                overrides |= put_on(judge, regularizer)
        found = problem(model, overrides)
        assert (found is None) == (expected is None), f"{overrides}: {found}"
        assert expected is None or (found and expected in found), f"{regularizer}: refused because {found}"
