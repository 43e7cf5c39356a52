"""Steps: that they do not wait for the device, what memory they take, what they cost beside a hand-written loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from benchmarks import harness, models, step
from benchmarks.gpu.setting import LeftOut, Row, Setting, checked, tf32
from ganzoo.train import graphs
from ganzoo.train.loop import Trainer
from ganzoo.train.precision import has_bf16

WARM = 3  # steps that do not count

WATCHED_STEPS = 17  # in which lazy terms come round

# -- waiting and memory ------------------------------------------------------------------------------------------------

WATCHED = (
    "gan/fashion_mnist_sample",
    "dcgan/fashion_mnist_sample",
    "wgan_gp/fashion_mnist_sample",
    "sngan/fashion_mnist_sample",
    "biggan/fashion_mnist_sample",
    "stylegan2/openmoji",
    "ada/openmoji",
    "r3gan/fashion_mnist_sample",
    "cyclegan/openmoji",
    "pix2pix/openmoji",
    "srgan/photos",
)


def no_waiting(on: Setting) -> Iterator[Row]:
    """Steps in which torch raises an error where the host would wait for the device, and the most memory they took."""
    for name in WATCHED:
        yield on.attempt(name, lambda name=name: _watched(name, on))


def _watched(name: str, on: Setting) -> Row:
    if on.cuda:
        torch.cuda.reset_peak_memory_stats(on.device)
    trainer = Trainer(checked(name, on), on.device)
    trainer.enter(list(trainer.spec.phases.values())[-1])
    for _ in range(WARM):
        trainer.advance()
    if not on.cuda:
        raise LeftOut("not applicable: the CPU computes what it is told at once")
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(WATCHED_STEPS):
            trainer.advance()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return {"steps": WATCHED_STEPS, "memory": torch.cuda.max_memory_allocated(on.device), "ok": True}


# -- beside a hand-written loop ----------------------------------------------------------------------------------------

CASES = {"DCGAN, 32x32, width 64": True, "GAN, MLP": False, "WGAN-GP, MLP": False}  # whether they have convolutions
ROUNDS = 5
FP32, BF16 = "train.precision=fp32", "train.precision=bf16"
TINY = {
    "dcgan32": ("parts.G.width=8", "parts.D.width=8", "train.batch=8"),
    "mlp_gan": ("parts.G.hidden=[8]", "parts.D.hidden=[8]", "train.batch=8"),
    "mlp_wgan_gp": ("parts.G.hidden=[8]", "parts.D.hidden=[8]", "train.batch=8"),
}


def _default_layout() -> AbstractContextManager[Any]:
    return patch("ganzoo.model.blueprint.lay_out", lambda part: None)


def _compile(hand: step.Loop) -> None:
    hand.G.compile()
    if not isinstance(hand, step.WganGp):  # what is differentiated twice cannot be compiled; ganzoo leaves it out too
        hand.D.compile()


def ratio(on: Setting) -> Iterator[Row]:
    """How many times as long a step of ganzoo takes as one of the same loop written by hand, in several forms."""
    forms: dict[str, Callable[[str], Row]] = {
        "fp32": partial(_ratio, on),
        "TF32": partial(_ratio, on, fast=True),
        "bf16": partial(_ratio, on, precision=BF16),
        "bf16, channels first": partial(_ratio, on, precision=BF16, build=_default_layout),
        "CUDA graphs": partial(_graphs, on),
        "compile": partial(_ratio, on, "train.compile=true", fast=True, prepare=_compile),
    }
    for form, measure in forms.items():
        for name, convolves in CASES.items():
            if convolves or form in ("fp32", "TF32", "compile", "CUDA graphs"):
                yield on.attempt(f"{name}, {form}", partial(measure, name))


def _ratio(
    on: Setting,
    *stated: str,
    precision: str = FP32,
    fast: bool = False,
    build: Callable[[], AbstractContextManager[Any]] = nullcontext,
    prepare: Callable[[step.Loop], None] | None = None,
) -> Row:
    *overrides, name = stated
    if not on.cuda and (fast or prepare):
        raise LeftOut("not applicable on the CPU" if prepare is None else "compiling takes half a minute on the CPU")
    if precision == BF16 and not has_bf16(on.device):
        raise LeftOut(f"{on.device.type} without bfloat16 arithmetic")
    with ExitStack() as held:
        held.enter_context(build())
        held.enter_context(tf32(fast))
        ours, hand = _pair(on, name, precision, *overrides)
        if prepare is not None:
            prepare(hand)
        return _timed(on, ours, hand)


def _pair(on: Setting, name: str, *overrides: str) -> tuple[Trainer, Any]:
    file, _, loop, settings, _ = step.CASES[name]
    tiny = TINY[file] if on.tiny else ()
    ours = models.trainer(file, *overrides, *tiny, device=on.device)
    return ours, loop(ours, **settings)


def _timed(on: Setting, ours: Trainer, hand: Any) -> Row:
    least, rounds = (0.01, 1) if on.tiny else (harness.LEAST, ROUNDS)
    cases = {"ganzoo": ours.advance, "hand": hand.advance}
    times = harness.interleave(cases, rounds, least, on.clock)
    row = harness.ratio(times, "ganzoo", "hand")
    steps = {f"{case}_ms": 1000 * median(values) for case, values in times.items()}
    return {"value": row.value, "low": row.low, "high": row.high, "rounds": row.rounds, **steps}


def _graphs(on: Setting, name: str) -> Row:
    """With ``train.graphs``, against the loop without any."""
    if not on.cuda:
        raise LeftOut("not applicable on the CPU")
    with tf32(True):
        ours, hand = _pair(on, name, FP32, "train.graphs=true", "train.log_every=1000000")
        for _ in range(2 * graphs.WARM):
            ours.advance()
        return _timed(on, ours, hand)


# -- throughput --------------------------------------------------------------------------------------------------------


def _images(count: int, size: int, *names: str, **more: Any) -> dict[str, Any]:
    image = {"kind": "image", "shape": [3, size, size]}
    fields = {**dict.fromkeys(names or ("real",), image), **more}
    return {"data": {"use": "data.random", "fields": fields, "count": count}}


STYLEGAN2 = _images(256, 256) | {
    "parts__G__width": [512, 512, 512, 512, 512, 256, 128],
    "parts__D__width": [128, 256, 512, 512, 512, 512, 512],
}
BIGGAN = _images(512, 128, label={"kind": "label", "classes": 1000}) | {
    "train__batch": 128,
    "players__D__repeat": 1,
    "players__G__minimize__orthogonal": None,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "DCGAN, 64x64, batch 128": ("dcgan/dcgan", _images(1024, 64)),
    "CycleGAN, 256x256, batch 1": ("cyclegan/cyclegan", _images(64, 256, "real_a", "real_b")),
    "SRGAN, 96x96, batch 16": ("srgan/srgan", _images(64, 256)),
    "StyleGAN2 config F, 256x256, batch 32": ("stylegan2/stylegan2", STYLEGAN2),
    "BigGAN, 128x128, batch 128": ("biggan/biggan", BIGGAN),
}
PUBLISHED = {  # images a second of one GPU, and where the figure is from
    "CycleGAN, 256x256, batch 1": (
        "1.5 to 3.1 on a GTX 1080 (266,800 steps in one to two days)",
        "junyanz/pytorch-CycleGAN-and-pix2pix, issue 1549",
    ),
    "StyleGAN2 config F, 256x256, batch 32": (
        "8.9 on a V100 (25 million images in 32 days and 13 hours; 6.4 GB)",
        "NVlabs/stylegan2, README.md, training networks",
    ),
    "BigGAN, 128x128, batch 128": (
        "30 on each of eight V100 (150,000 steps of 2,048 in 15 days, in single precision)",
        "ajbrock/BigGAN-PyTorch, README.md",
    ),
}
SECONDS = 3.0  # of measuring


def throughput(on: Setting) -> Iterator[Row]:
    """Images a second in the last phase of papers' own settings, on made-up data that lies on the device."""
    for name in MODELS:
        for form, fast, precision in (("fp32", False, "fp32"), ("TF32", True, "fp32"), ("bf16", True, "bf16")):
            if on.cuda or form == "fp32":
                yield on.attempt(f"{name}, {form}", partial(_throughput, on, name, fast, precision))


def _throughput(on: Setting, name: str, fast: bool, precision: str) -> Row:
    file, overrides = MODELS[name]
    overrides = dict(overrides, train__precision=precision)
    if file == "srgan/srgan" and not on.tiny:
        overrides["parts__vgg__weights"] = str(_made_up_vgg(on))
    if on.tiny:
        overrides |= {"data": {**overrides["data"], "count": 8}}
        for key in ("parts__G__width", "parts__D__width", "train__batch"):
            overrides.pop(key, None)
    if on.cuda:
        torch.cuda.reset_peak_memory_stats(on.device)
    with tf32(fast):
        trainer = Trainer(checked(file, on, **overrides), on.device)
        trainer.enter(list(trainer.spec.phases.values())[-1])
        for _ in range(1 if on.tiny else WARM):
            trainer.advance()
        began, steps = on.clock(), 0
        while steps < 2 or (not on.tiny and time.perf_counter() - began < SECONDS):
            trainer.advance()
            on.wait()
            steps += 1
        seconds = (on.clock() - began) / steps
    memory = torch.cuda.max_memory_allocated(on.device) if on.cuda else None
    published, source = ("", "") if on.tiny else PUBLISHED.get(name, ("", ""))
    return {
        "images_per_second": trainer.train.batch / seconds,
        "step_ms": 1000 * seconds,
        "steps": steps,
        "memory": memory,
        "published": published,
        "source": source,
    }


def _made_up_vgg(on: Setting) -> Any:
    """A file of weights for VGG-19 drawn at random: how fast it computes does not depend on them."""
    from torchvision.models import vgg19

    path = on.out / "vgg19.pth"
    if not path.exists():
        torch.save(vgg19(weights=None).features.state_dict(), path)
    return path
