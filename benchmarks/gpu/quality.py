"""What a few minutes of training on the device come to, as pictures and as what the runs evaluate."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.gpu.setting import Row, Setting, checked
from ganzoo.registry import plugins
from ganzoo.run.start import train
from ganzoo.train.loop import Trainer

NEVER = 1_000_000
TIMED = 10  # steps of each phase by which its length is settled
SPARE = 0.75  # the share of the time that is trained; the rest is for building, pictures and numbers
TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "StyleGAN2-ADA, OpenMoji, 64x64": (
        "ada/openmoji",
        {
            "data__size": 64,
            "data__count": None,
            "evaluate__against": {"use": "data.openmoji", "fields": ["real"], "size": 64},
            "parts__Z__size": 256,
            "parts__M__size": 256,
            "parts__G__width": [256, 256, 256, 128, 64],
            "parts__D__width": [64, 128, 256, 256, 256],
            "parts__ada__images": 200_000,
            "train__batch": 64,
        },
    ),
    "pix2pix, grey photographs coloured, 256x256": (
        "pix2pix/openmoji",
        {"parts__G__width": 64, "parts__D__width": 64, "parts__D__layers": 3, "parts__jitter__enlarge": 1.1},
    ),
    "SRGAN, photographs, 192x192": (
        "srgan/photos",
        {"data__size": 192, "parts__G__width": 64, "parts__G__blocks": 16, "parts__D__width": 64},
    ),
}


def quality(on: Setting) -> Iterator[Row]:
    """Three trainings for the time that is left, each for an equal part of it."""
    names = list(TRAININGS)
    for index, name in enumerate(names):
        seconds = on.left / (len(names) - index)
        on.longest = 0.0  # each has its time already
        yield on.attempt(name, lambda name=name, seconds=seconds: _trained(name, seconds, on))


def _trained(name: str, seconds: float, on: Setting) -> Row:
    file, overrides = TRAININGS[name]
    overrides = {} if on.tiny else dict(overrides)
    if file == "pix2pix/openmoji" and not on.tiny:
        overrides |= {"data": _greys()}
    began = on.clock()
    blueprint = checked(
        file,
        on,
        **overrides,
        train__log_every=2 if on.tiny else 100,
        train__precision="fp32" if on.tiny else "bf16",
        train__sample_every=NEVER,
        train__checkpoint_every=NEVER,
        evaluate__every=NEVER,
    )
    steps = _lengths(blueprint, seconds - (on.clock() - began), on)
    for phase, count in steps.items():
        blueprint.spec.phases[phase].steps = count
    if not blueprint.spec.config.get("phases"):
        blueprint.spec.train.steps = next(iter(steps.values()))
    place = name.split(",")[0].lower()
    folder, reason = train(blueprint, on.out / "runs" / place, plugins.installed(), quiet=True)
    picture = max(folder.samples.glob("*.png"))
    kept = on.out / "pictures" / f"{place}.png"
    kept.parent.mkdir(exist_ok=True)
    shutil.copyfile(picture, kept)
    evaluated = {key: value for record in folder.evaluated() for key, value in record["values"].items()}
    return {"steps": sum(steps.values()), "ended": reason, "evaluated": evaluated, "picture": f"pictures/{kept.name}"}


def _lengths(blueprint: Any, seconds: float, on: Setting) -> dict[str, int]:
    """How many steps each phase has, by what its steps take; phases share the time as they share the steps."""
    phases = blueprint.spec.phases
    if on.tiny:
        return dict.fromkeys(phases, 2)
    trainer, costs = Trainer(blueprint, on.device), {}
    for name, phase in phases.items():
        trainer.enter(phase)
        for _ in range(TIMED):
            trainer.advance()
        began = on.clock()
        for _ in range(TIMED):
            trainer.advance()
        costs[name] = (on.clock() - began) / TIMED
        seconds -= 2 * TIMED * costs[name]
    whole = sum(phase.steps * costs[name] for name, phase in phases.items())
    return {name: max(int(phase.steps * SPARE * seconds / whole), 2) for name, phase in phases.items()}


def _greys() -> dict[str, Any]:
    """Squares of the bundled photographs, in colour and in grey, as data in hand."""
    from ganzoo_data.photos import Photos

    from ganzoo import api

    colours = np.asarray(Photos(size=256, stride=64).load()["real"][:])
    greys = (colours @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)[..., None]
    return api.hold({"line": greys, "real": colours}, api.registry())["data"]
