"""A run that answers: pictures of any of its values under given settings, walks between seeds, examples."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from PIL import Image, ImageOps

from ganzoo.contract import first
from ganzoo.data.fields import Field
from ganzoo.data.pixels import MODES, flatten
from ganzoo.demo.offer import TRUNCATION, Control, Offer, Walk
from ganzoo.errors import GanzooError, UserError
from ganzoo.model import dry, explain
from ganzoo.model.blueprint import load_factories, make_data
from ganzoo.model.inference import Inference
from ganzoo.parallel import draw
from ganzoo.run import inputs
from ganzoo.run.opened import Run
from ganzoo.run.pictures import grid, image_range, picture, ranges

DRAWN, EACH = "drawn", "each in a row"  # what a label or a category can be, beside one of its names
LARGEST = 2**18  # pixels of an image that is made larger
ACROSS = 8
COMPUTING = threading.Lock()  # draws and deterministic modes are settings of the whole process


@dataclass
class Settings:
    """What was set on the page.

    Args:
        seed: Of the noise.
        n: How many samples.
        given: What each control was set to, by its name: a name of a class, a caption, an image, numbers. What is
            None or missing is drawn, or taken from the data that was held out.
        masks: Painted images, white where the image of that name is missing.
        ways: As which named value an image is given, where there are several.
    """

    seed: int = 0
    n: int = 16
    given: dict[str, Any] = field(default_factory=dict)
    masks: dict[str, Image.Image | None] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    """What comes back: one picture of all, and of what is made from an image, the image before and after."""

    picture: Image.Image
    before: Image.Image | None = None
    after: Image.Image | None = None
    columns: tuple[str, ...] = ()


class Desk(Offer):
    """A run that answers.

    Args:
        run: The run, opened.
        title: What it is called beside others.
    """

    def __init__(self, run: Run, title: str = ""):
        super().__init__(run)
        self.title = title or f"{run.name}, step {run.step}"
        self._controls: dict[str, list[Control]] = {}
        self._altered: tuple[dict[str, Any], Run] = ({}, run)

    def controls(self, value: str) -> list[Control]:
        """What the page offers for a value, made once, for a model's parts are run for it."""
        if value not in self._controls:
            with COMPUTING:
                self._controls[value] = super().controls(value)
        return self._controls[value]

    @cached_property
    def equations(self) -> str:
        """The model in words and equations, as ``ganzoo explain`` has it."""
        try:
            with COMPUTING:
                return explain.text(dry.check(self.run.spec, dict(self.run.fields)))
        except GanzooError:  # such as a metric that needs the data
            return "\n".join(self.run.spec.lines())

    @cached_property
    def held(self) -> Any:
        """What the model's data holds out, or else all of it; None where the data is not here."""
        spec = self.run.spec
        try:
            data = make_data(spec.data, load_factories(spec))
            rows = (data.held_out() or data) if data is not None else None
            return rows if rows is not None and len(rows) else None
        except (GanzooError, OSError):
            return None

    def held_rows(self, start: int, n: int) -> dict[str, torch.Tensor]:
        """`n` rows of the data that was held out, beginning again where they end."""
        if self.held is None:
            return {}
        return self.held.batch(torch.arange(start, start + n) % len(self.held), torch.device("cpu"))

    def captions(self, n: int = 8) -> list[str]:
        """Captions of the data that was held out, taken evenly from them."""
        texts = list(dict.fromkeys(getattr(self.held, "texts", None) or ()))
        return texts[:: max(1, len(texts) // n)][:n]

    def example(self, control: Control, row: int = 0) -> Image.Image | None:
        """An image of the data that was held out, as the value that the control asks for."""
        rows = self.held_rows(row, 1)
        names = [name for name in self.run.fields if name in self.needs(control.name) and name in rows]
        if not names:
            return None
        with COMPUTING:
            found = rows[control.name] if control.name in rows else self._try(control.name, {n: rows[n] for n in names})
        return None if found is None else self._plain(found[:1])[0]

    def answer(self, value: str, settings: Settings) -> Answer:
        """A value under settings.

        Raises:
            UserError: there is no such value, or what was given does not fit.
            EvaluationError: a network cannot compute it, such as from an image that is too small.
        """
        self._known(value)
        controls = [self.way(control, settings.ways.get(control.name)) for control in self.controls(value)]
        image = next((control for control in controls if control.kind == "image"), None)
        with COMPUTING:
            given, changes, n, across = self._inputs(value, controls, settings)
            names = self.stages(value)
            before = self.before(value, image) if image is not None and self.is_image(value) else None
            wanted = [value, *(name for name in [*names[:-1], *([before] if before else [])])]
            found = dict(zip(wanted, self._compute(wanted, n, settings.seed, given, changes), strict=True))
        tensors = {name: first(item) for name, item in found.items()}
        columns = self._columns(tensors, [*([before] if before else []), *names[:-1], value])
        if not self.is_image(value) or (len(columns) == 1 and len(tensors[value]) > 1):
            show = self.run.spec.show
            across = across or (show.across if value in [v.name for v in self.run.spec.shown] else None)
            drawn = picture({value: tensors[value]}, self.run.fields, across=across)
            if drawn is None:
                raise UserError(f"{value} is no picture: it has the shape {tuple(tensors[value].shape)}")
            return Answer(drawn, columns=(value,))
        drawn = grid(columns, ranges(columns, self.run.fields))
        if before is None:
            return Answer(drawn, columns=tuple(columns))
        after = self._plain(tensors[value][:1])[0]
        held_against = self._plain(tensors[before][:1])[0].convert(after.mode)
        if held_against.size != after.size:
            held_against = held_against.resize(after.size, Image.Resampling.LANCZOS)
        return Answer(drawn, held_against, after, tuple(columns))

    def walk(self, value: str, settings: Settings, to: int, frames: int = 24) -> list[Image.Image]:
        """The first sample of a seed turning into that of another, an image a frame.

        Raises:
            UserError: there is nothing random in it, or what was given does not fit.
        """
        self._known(value)
        if not self.draws(value):
            raise UserError(f"{value} is not made of noise alone, so there is nothing to walk between")
        with COMPUTING:
            chosen = {k: (None if item == EACH else item) for k, item in settings.given.items()}
            one = Settings(settings.seed, 1, chosen)
            given, changes, _, _ = self._inputs(value, self.controls_of(value), one)
            found = self._walk(value, given, changes, (settings.seed, to), frames)
        return self._plain(found)

    def controls_of(self, value: str) -> list[Control]:
        """The controls of a value that were read before."""
        return self._controls.get(value) or Offer.controls(self, value)

    def way(self, control: Control, name: str | None) -> Control:
        """The control of an image that is given as another of the values which it may be."""
        if name not in control.others:
            return control
        return replace(control, name=name, shape=self.shapes[name])

    def _known(self, value: str) -> None:
        if value not in self.run.spec.flow:
            raise UserError(f"{self.title} has no value '{value}'")

    def _columns(self, tensors: Mapping[str, torch.Tensor], names: Sequence[str]) -> dict[str, torch.Tensor]:
        """Images by name, each once though it may have several names, of as many rows as the last."""
        found: dict[str, torch.Tensor] = {}
        last = tensors[names[-1]]
        for name in dict.fromkeys(names):
            tensor = tensors[name]
            again = any(tensor.shape == other.shape and torch.equal(tensor, other) for other in found.values())
            if tensor.ndim == 4 and len(tensor) == len(last) and (name == names[-1] or not again):
                found[name] = tensor
        return found

    def _plain(self, images: torch.Tensor) -> list[Image.Image]:
        """Images as they are; of more channels than a file has, the first three."""
        channels = images.shape[1]
        if channels not in MODES:
            images = images[:, : 3 if channels > 3 else 1]
        return inputs.plain(images, image_range(self.run.fields, shape=images.shape[1:]))

    def _inputs(
        self, value: str, controls: Sequence[Control], settings: Settings
    ) -> tuple[dict[str, torch.Tensor], dict[str, Any], int, int | None]:
        """Tensors by name, changed arguments of parts, how many samples, and how many of them in a row."""
        n, across = max(1, settings.n), None
        images = [control for control in controls if control.kind == "image"]
        if images and any(settings.given.get(control.name) is not None for control in images):
            n = 1
        given: dict[str, torch.Tensor] = {}
        changes: dict[str, Any] = {}
        rows = next((c for c in controls if c.choices and settings.given.get(c.name) == EACH), None)
        each = 1 if images else ACROSS
        if rows is not None:
            n, across = each * len(rows.choices), each
        for control in controls:
            item = settings.given.get(control.name)
            if item is None or item in ("", DRAWN):
                continue
            if control.kind in ("label", "choice"):
                given[control.name] = self._choice(control, item, n, rows, each)
            elif control.kind == "text":
                given[control.name] = self.run.input(control.name, str(item), n)
            elif control.kind == "code":
                given[control.name] = torch.tensor([list(map(float, item))]).repeat(n, 1)
            elif control.kind == "number":
                self._change(control, float(item), value, changes)
            else:
                one = self._image(control, item, settings.masks.get(control.name))
                given |= {name: image.repeat(n, 1, 1, 1) for name, image in one.items()}
        self._fill(value, given, n)
        return given, changes, n, across

    def _choice(self, control: Control, item: str, n: int, rows: Control | None, each: int) -> torch.Tensor:
        """A class or category as numbers or one-hot vectors, one for all samples or one a row."""
        if item == EACH and control is not rows:
            raise UserError(f"only one of {control.name} and {rows.name if rows else ''} can have a row for each")
        index = torch.arange(n) // each % len(control.choices)
        if item != EACH:
            if control.kind == "choice" and item not in control.choices:
                raise UserError(f"{control.name} is {item}, but goes from 0 to {len(control.choices) - 1}")
            known = self.run.fields[control.name].label(item) if control.kind == "label" else int(item)
            index = torch.full((n,), known)
        is_vector = control.kind == "choice" and len(self.shapes[control.name]) == 1
        return torch.eye(len(control.choices))[index] if is_vector else index

    def _change(self, control: Control, item: float, value: str, changes: dict[str, Any]) -> None:
        """An argument of parts, if it is another than they have."""
        if item == control.start:
            return
        for path in self.run.sampling_arguments(control.name, self.needs(value)):
            changes[path] = None if control.high == TRUNCATION and item >= TRUNCATION else item

    def _image(self, control: Control, item: Image.Image, mask: Image.Image | None) -> dict[str, torch.Tensor]:
        """An uploaded image, and its mask, as the network takes them."""
        shape = control.shape
        known = Field("image", shape, image_range(self.run.fields, control.name, shape))
        size = (shape[2], shape[1])
        upright = ImageOps.exif_transpose(item)
        if control.keeps_size and upright.width * upright.height > LARGEST:
            raise UserError(
                f"the image is {upright.width}x{upright.height}, but at most {LARGEST:,} pixels are made larger here;"
                f" `ganzoo compute RUN VALUE {control.name}=FILE` takes any size"
            )
        if min(upright.size) < 2:
            raise UserError(f"the image is {upright.width}x{upright.height}, which is no picture")
        try:
            final = flatten(upright, shape[0])
        except (ValueError, KeyError, OSError) as error:
            raise UserError(f"the image cannot be read: {error}") from None
        if not control.keeps_size and final.size != size:
            whole = final.width % size[0] == final.height % size[1] == 0  # of enlarged pixels their mean is exact
            final = ImageOps.fit(final, size, Image.Resampling.BOX if whole else Image.Resampling.LANCZOS)
        found = {control.name: inputs.rows(final, known)}
        if control.mask is not None and mask is not None:
            fitted = ImageOps.fit(mask.convert("L"), final.size, Image.Resampling.BOX)
            hard = fitted.point(lambda level: 255 if level > 63 else 0)
            found[control.mask] = inputs.rows(hard, Field("image", (1, *shape[1:]), known.range))
        return found

    def _fill(self, value: str, given: dict[str, torch.Tensor], n: int) -> None:
        """What is needed and not given, and cannot be drawn, is taken from the data that was held out."""
        needed = self.needs(value, without=given)
        missing = [name for name in needed if name in self.run.fields and self.run.fields[name].kind != "label"]
        if missing:
            rows = self.held_rows(0, n)
            given |= {name: rows[name] for name in missing if name in rows}

    def _of(self, changes: dict[str, Any]) -> Run:
        """The run with other arguments of parts; the last such is kept."""
        if not changes:
            return self.run
        if self._altered[0] != changes:
            self._altered = (changes, self.run.altered(changes))
        return self._altered[1]

    def _inference(self, run: Run, values: Sequence[str]) -> Inference:
        needed = {name for value in values for name in self.needs(value)}
        parts = {name: run.part(name) for name in run.spec.parts if name in needed and name in run.blueprint.parts}
        return run.inference_of(run.blueprint, parts)

    def _compute(
        self, values: Sequence[str], n: int, seed: int, given: dict[str, torch.Tensor], changes: dict[str, Any]
    ) -> list[Any]:
        """Several values of the same samples."""
        run = self._of(changes)
        needed = {name for value in values for name in self.needs(value)}
        equations = [run.equation(value) for value in values]
        tensors = {name: rows for name, rows in given.items() if name in needed}
        return self._inference(run, values).compute(equations, n, (seed, "sample"), tensors)

    def _walk(
        self, value: str, given: dict[str, torch.Tensor], changes: dict[str, Any], seeds: tuple[int, int], frames: int
    ) -> torch.Tensor:
        run = self._of(changes)
        inference, equation = self._inference(run, [value]), run.equation(value)
        least = inference.together([equation])
        ends = tuple(draw.Draws((seed, "sample", 0), inference.device, least=least) for seed in seeds)
        draws = Walk((ends[0], ends[1]), torch.linspace(0, 1, frames), inference.device)
        held = {control.name for control in self.controls_of(value) if control.kind == "choice"} - given.keys()
        given = given | {name: self._compute([name], 1, seeds[0], {}, changes)[0] for name in held}
        for name, known in self.run.fields.items():
            if known.kind == "label" and name in self.needs(value) and name not in given:
                given[name] = first(self._compute_field(run, name, seeds[0]))
        rows = {name: item[:1].repeat(frames, *(1 for _ in item.shape[1:])) for name, item in given.items()}
        with inference.evaluating(seeds[0]), inference.standing([equation], rows):
            turn = inference.turn(
                {name: item.to(inference.device) for name, item in rows.items()}, None, frames, draws.key, draws
            )
            with draw.using(draws):
                return first(inference.program.value(equation)(turn)).cpu()

    def _compute_field(self, run: Run, name: str, seed: int) -> torch.Tensor:
        """The label of the first sample of a seed."""
        return Inference(run.blueprint, {}, {}, run.step).compute([run.equation(name)], 1, (seed, "sample"))[0]


def strip(frames: Sequence[Image.Image]) -> Image.Image:
    """Some of the frames of a walk side by side, the first and the last among them."""
    chosen = [frames[round(i * (len(frames) - 1) / (ACROSS - 1))] for i in range(ACROSS)]
    scale = max(1, 64 // chosen[0].width)
    width, height = chosen[0].width * scale, chosen[0].height * scale
    canvas = Image.new("RGB", ((width + 2) * ACROSS - 2, height), "white")
    for place, frame in enumerate(chosen):
        canvas.paste(frame.convert("RGB").resize((width, height), Image.Resampling.NEAREST), (place * (width + 2), 0))
    return canvas


def gif(frames: Sequence[Image.Image]) -> bytes:
    """A walk there and back as an animation that repeats."""
    scale = max(1, 128 // frames[0].width)
    size = (frames[0].width * scale, frames[0].height * scale)
    large = [frame.convert("RGB").resize(size, Image.Resampling.NEAREST) for frame in frames]
    file = io.BytesIO()
    large[0].save(file, "GIF", save_all=True, append_images=[*large[1:], *large[-2:0:-1]], duration=80, loop=0)
    return file.getvalue()
