"""A finished or running run, opened for use: its parts, samples, and any named value from given inputs."""

from __future__ import annotations

import copy
import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ganzoo import config
from ganzoo.config.expression import ExpressionError, Name, names, parse
from ganzoo.config.spec import RESERVED, Value
from ganzoo.config.static import Graph
from ganzoo.contract import first
from ganzoo.data.fields import Field
from ganzoo.errors import EvaluationError, Origin, UserError, choices, listed
from ganzoo.evaluation.records import Record
from ganzoo.model import build, factory
from ganzoo.model.blueprint import Blueprint, dry_turn
from ganzoo.model.inference import Inference
from ganzoo.model.program import Program
from ganzoo.parallel import distributed, draw
from ganzoo.registry import Registry
from ganzoo.run import codes, provenance
from ganzoo.run.captions import embedded
from ganzoo.run.inputs import assembled, from_numpy, has_rows, table_of
from ganzoo.run.pictures import image_range
from ganzoo.run.provenance import subject
from ganzoo.run.warm import averaged
from ganzoo.store import checkpoint
from ganzoo.store import names as known_as
from ganzoo.store.folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from ganzoo.run.export import Exported, Format
    from ganzoo.run.project import Projected


class Run:
    """A run folder, a checkpoint or a published model, opened. A checkpoint alone is enough, without the data.

    Args:
        path: The run folder, the checkpoint file, the folder of a published model, ``zoo:NAME`` or ``hf:USER/NAME``.
        registry: Finds the components.
        which: Which checkpoint of a run folder, the ``last`` checkpoint or the ``best``.
        raw: Use the trained weights even where averages are kept.
        device: Where to compute.

    Raises:
        UserError: there is no such run, a plugin is missing, or the checkpoint is damaged.
    """

    def __init__(
        self, path: str | Path, registry: Registry, which: str = "last", raw: bool = False, device: str = "auto"
    ):
        self.path = known_as.resolve(path, registry)
        self.registry = registry
        self.checkpoint = checkpoint.load(checkpoint.locate(self.path, which))
        self.raw = raw
        self.device = distributed.start(device)
        header = self.checkpoint.header
        if raw and header.get("weights", {}).get("averaged"):
            raise UserError(f"{path} was published with averaged weights; there are no others")
        self.name: str = header["name"]
        self.config: dict[str, Any] = header["config"]
        self.fields = {name: Field.from_json(stored) for name, stored in self.config["locked"]["fields"].items()}
        self._loaded: dict[str, Any] = {}
        with provenance.telling_source(self.path):
            self.spec = config.from_plain(self.name, self.config, str(self.checkpoint.path), registry)

    def __repr__(self) -> str:
        parts = ", ".join(self.spec.parts)
        return f"<Run {self.path} of {self.name}: step {self.step}; parts {parts}; samples {self.spec.sample}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the newest samples, and the curves."""
        from ganzoo.report.facts import Facts
        from ganzoo.report.one import summary

        folder = self.path if self.path.is_dir() else self.path.resolve().parent.parent
        return f"<b>{html.escape(repr(self))}</b>" + summary(Facts(RunFolder(folder), self.name, self.config, "", None))

    @property
    def step(self) -> int:
        """The steps trained."""
        return self.checkpoint.step

    @cached_property
    def blueprint(self) -> Blueprint:
        return build.draw_up(self.spec, self.fields)

    @property
    def parts(self) -> dict[str, Any]:
        """The parts by name, plain ``nn.Module`` in evaluation mode, with averaged weights where those are kept."""
        return self._parts_of(self.blueprint.parts)

    def _parts_of(self, names: Collection[str]) -> dict[str, Any]:
        """These parts, each loaded once: sampling needs no network that only taught, nor its weights."""
        missing = [name for name in names if name in self.spec.parts and name not in self._loaded]
        if missing:
            self._loaded |= self.load(self.blueprint, missing)
        return {name: part for name, part in self._loaded.items() if name in names}

    def load(self, blueprint: Blueprint, names: Collection[str]) -> dict[str, Any]:
        """Parts of a blueprint with this run's weights; parts that the run does not have are as they were built.

        Raises:
            UserError: one was left out when the model was published.
        """
        state, left_out = self.checkpoint.state, self.checkpoint.header.get("weights", {}).get("left_out", ())
        if gone := [name for name in names if name in left_out]:
            raise UserError(f"{self.name} was published without {listed(gone)}, which this needs")
        averages = {} if self.raw else averaged(state)
        given = {name: averages.get(name, stored) for name, stored in state["parts"].items()}
        for name in names:
            if name in given:
                self.check_weights(name, blueprint.parts.get(name), given[name])
        parts = blueprint.build(self.device, names)
        for name, part in parts.items():
            if isinstance(part, nn.Module):
                if name in given:
                    try:
                        part.load_state_dict(given[name])
                    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError) as error:
                        raise self._misfit(name, str(error).split("\n")[-1].strip()) from None
                part.eval().requires_grad_(False)
        return parts

    def check_weights(self, name: str, part: Any, stored: Mapping[str, Any]) -> None:
        """Refuse weights that are not those of a part, before memory is taken for it.

        Raises:
            UserError: a parameter is missing, or of another shape.
        """
        wanted = dict(part.named_parameters()) if isinstance(part, nn.Module) else {}
        for key, value in wanted.items():
            found = stored.get(key)
            if not isinstance(found, torch.Tensor) or found.shape != value.shape:
                has = f"has {tuple(found.shape)}" if isinstance(found, torch.Tensor) else "has none"
                raise self._misfit(name, f"{key} should be {tuple(value.shape)}, and the file {has}")

    def _misfit(self, name: str, reason: str) -> UserError:
        return UserError(f"{self.checkpoint.path} does not hold the weights of {name}: {reason}")

    def inference(self, equation: Value) -> Inference:
        """Inference over the parts that an equation needs."""
        return self.inference_of(self.blueprint, self._parts_of(Graph(self.spec).of(equation)))

    def inference_of(self, blueprint: Blueprint, parts: dict[str, Any]) -> Inference:
        """Inference over parts that hold this run's weights."""
        return Inference(blueprint, parts, {}, self.step, () if self.raw else averaged(self.checkpoint.state))

    def evaluate(self, metrics: Iterable[str] = (), against: str | None = None, **settings: Any) -> list[Record]:
        """What metrics say about the run's samples: records, each with its protocol.

        Args:
            metrics: Names under the model's ``evaluate:``, or of metric components; all of the model's, if none given.
            against: Real data and split to measure against: ``train``, ``held_out``, ``NAME``, ``FOLDER:held_out``.
            settings: ``n``, ``seed``, and ``overrides``, such as ``["data.root=FOLDER"]``.

        Raises:
            UserError: there is no such metric, it does not fit the model, or data is missing.
        """
        from ganzoo.evaluation.score import score

        return score(self, metrics, against, **settings)

    def export(self, value: str, out: str | Path, format: Format | None = None, **settings: Any) -> Exported:
        """Write what computes a value into a file for other programs, checked before it is kept.

        Data, latents and all other noise are inputs by name; averaged weights and evaluation mode are inside.

        Args:
            value: A named value or an expression, as for :meth:`compute`.
            out: The file.
            format: ``onnx``, ``torch`` (torch.export's ``.pt2``), or ``safetensors`` (weights alone); by the file's
                suffix, if not given.
            settings: ``precision`` (``fp32``, ``fp16``, ``int8``), ``dropout`` (``off``, ``input``) of a network that
                drops in evaluation, ``statistics`` (``batch``, ``running``) of one with batch statistics, and
                ``starts``, named values that are inputs, such as ``["lr"]``.

        Raises:
            UserError: there is no such value, a choice is missing, a library is, or the file computes something else.
        """
        from ganzoo.run.export import export

        return export(self, value, out, format, **settings)

    def convert(self, part: str, layout: str, out: str | Path) -> list[str]:
        """Write a part's weights under the names that other authors' programs read, checked before it is kept.

        Args:
            part: The part.
            layout: One that is registered for its component, as ``docs/weights.md`` lists them.
            out: A ``.pth``, ``.pt`` or ``.safetensors`` file.

        Returns:
            What was written, in words.

        Raises:
            UserError: there is no such part or layout, or no way back to it.
        """
        from ganzoo.run.convert import convert

        return convert(self, part, layout, out)

    def keep(self, records: Iterable[Record], out: str | Path | None = None) -> None:
        """Append records to ``evaluations.jsonl`` of the run's folder, if there is one, or to another file."""
        folder = RunFolder(self.checkpoint.path.resolve().parent.parent)
        of = subject(self.name, self.config, self.step)
        if out is not None or folder.metrics.exists():
            folder.log_records(records, of, Path(out) if out is not None else None)

    def save_pretrained(
        self, folder: str | Path, metrics: Sequence[str] | None = (), replace: bool = False, **how: Any
    ) -> Path:
        """Publish this run, or anew what was published, as a folder that :func:`ganzoo.open` reads anywhere.

        Args:
            folder: The folder to make.
            metrics: Beside the model's own, which numbers to compute with the weights that were written, for which the
                data is read; None for none at all.
            replace: Whether a model of the same name, published there before, is replaced.
            how: ``licence`` of the data, if its component states none; ``unfinished``, whether a run that was not
                trained to its end is taken; ``precision`` of matrices and kernels, ``fp16``, ``fp32`` or ``int8``.

        Raises:
            UserError: the run may not be published, or the folder is taken or cannot be written.
        """
        from ganzoo.run import publish

        return publish.write(publish.prepare(self, **how), folder, metrics, replace=replace).path

    def push_to_hub(self, name: str, private: bool = False, **how: Any) -> str:
        """Upload to the Hugging Face Hub as ``USER/NAME``, published if it is not yet; its address.

        Args:
            name: The repository, made if there is none.
            private: Whether a new one is private.
            how: As for :meth:`save_pretrained`.

        Raises:
            UserError: the run may not be published, or the hub refuses it or cannot be reached.
        """
        from ganzoo.run import publish

        return publish.push(self, name, private, **how)

    def sample(self, n: int = 64, seed: int = 0, value: str | None = None, **given: Any) -> Any:
        """`n` samples of the value that the model's ``sample:`` names, ``n …`` on the CPU.

        Args:
            n: How many.
            seed: The same seed gives the same samples.
            value: Another named value instead.
            given: Inputs by name: tensors ``n …``; for labels a number, a class name, or a list of those; for texts a
                caption or a list of those; for conditions ``species=Adelie`` or a list of those; for codes that are
                drawn the number of a category, or numbers as text, ``"0.5,-1"``, or a list of those. Also arguments of
                priors, such as ``truncation=0.5``, and those of networks that are made to be changed so, such as
                ``psi=0.7``.

        Raises:
            UserError: an input is needed that is not given, or does not fit.
        """
        return self.compute(value or self.spec.sample, n=n, seed=seed, **given)

    def table(self, n: int = 64, seed: int = 0, value: str | None = None, **given: Any) -> dict[str, np.ndarray]:
        """`n` made rows of a table: its columns by name, ``n`` names or numbers each; ``pandas.DataFrame`` takes it.

        The arguments are those of :meth:`sample`, such as ``cond="species=Adelie"``.

        Raises:
            UserError: the model makes no rows of a table, or as for :meth:`sample`.
        """
        found = first(self.sample(n, seed, value, **given))
        field = table_of(found, self.fields)
        if field is None:
            raise UserError(f"{value or self.spec.sample} is no row of a table whose columns this run knows")
        return field.cells(found)

    def interpolate(self, rows: int = 8, steps: int = 8, seed: int = 0, value: str | None = None, **given: Any) -> Any:
        """Samples on the way between draws of the noise, ``(rows steps) …``: each row goes from one draw to another.

        Normal numbers go along the sphere, uniform ones straight; labels, and whatever else is drawn, stay in a row.

        Args:
            rows: How many rows.
            steps: Samples in a row, both ends included.
            seed: The same seed gives the same ends: samples 0 and 1 of :meth:`sample`, 2 and 3, and so on.
            value: Another named value than what is sampled.
            given: Inputs by name, as for :meth:`sample`, ``rows …`` of each.

        Raises:
            UserError: the value is made of no noise, or as for :meth:`sample`.
        """
        from ganzoo.run.between import interpolate

        return interpolate(self, rows, steps, seed, value, given)

    def compute(self, value: str, *, n: int | None = None, seed: int = 0, **given: Any) -> Any:
        """Any named value, or expression such as ``D(real)``, from given inputs.

        Args:
            value: What to compute.
            n: How many rows; as many as the inputs have, or else 1, if not given.
            seed: Of the noise.
            given: Inputs by name, as for :meth:`sample`.

        Raises:
            UserError: there is no such value, or an input is missing, not needed, or does not fit.
        """
        run, equation, inputs = self.asked(value, n, given)
        n = n or max(map(len, inputs.values()), default=1)
        return run.inference(equation).compute([equation], n, (seed, "sample"), inputs)[0]

    def picture(self, value: str, *, seed: int = 0, **given: Any) -> Image | None:
        """One image that a network makes in pieces, as a picture of 8 bits; its numbers are never there all at once.

        Args:
            value: What to compute.
            seed: Of the noise.
            given: Inputs by name, with one row each, as for :meth:`sample`.

        Returns:
            The pixels of what :meth:`compute` gives, or None where it is not made in pieces, or no picture.

        Raises:
            UserError: as :meth:`compute` does.
        """
        run, equation, inputs = self.asked(value, None, given)
        inference = run.inference(equation)
        in_pieces = inference.in_pieces(equation) if max(map(len, inputs.values()), default=1) == 1 else None
        if in_pieces is None:
            return None
        shown = partial(assembled, range=image_range(self.fields))
        return inference.use(in_pieces, (seed, "sample"), inputs, shown)

    def asked(self, value: str, n: int | None, given: Mapping[str, Any]) -> tuple[Run, Value, dict[str, torch.Tensor]]:
        """What :meth:`compute` is asked for: the run, altered by what is given of parts, the value, and the inputs.

        Raises:
            UserError: as for :meth:`compute`.
        """
        if n is not None and (not isinstance(n, int) or n < 1):
            raise UserError(f"n is {n}, but should be a whole number above 0")
        equation = self.equation(value)
        needed = Graph(self.spec).of(equation)
        changes = {path: given[name] for name in given for path in self.sampling_arguments(name, needed)}
        if changes:
            rest = {name: item for name, item in given.items() if not self.sampling_arguments(name, needed)}
            return self.altered(changes).asked(value, n, rest)
        for name in given:
            if name in (*self.fields, *self.spec.flow) and name not in needed:
                reads = listed(n for n in needed if n in self.fields or n in self.spec.flow)
                raise UserError(f"{value} does not depend on {name}" + (f" (it does on {reads})" if reads else ""))
        if n is None:
            n = max((len(item) for item in given.values() if has_rows(item)), default=1)
        inputs = {name: self.input(name, item, n) for name, item in given.items()}
        for name, tensor in inputs.items():
            if len(tensor) != n:
                raise UserError(f"{name} has {len(tensor)} rows, but {n} are wanted")
        return self, equation, inputs

    def sampling_arguments(self, name: str, needed: Collection[str] | None = None) -> list[str]:
        """Where an argument of this name stands in the config, of the parts needed: ``parts.Z.truncation``.

        Of a prior any argument can be given; of a network those that its class names in ``at_sampling``.
        """
        if name in self.fields or name in self.spec.flow:
            return []
        found = []
        for part in self.spec.parts.values():
            if part.kind in ("prior", "generator", "encoder") and (needed is None or part.name in needed):
                maker = part.entry.load()
                known = factory.arguments(maker) if part.kind == "prior" else getattr(maker, "at_sampling", ())
                found += [f"parts.{part.name}.{name}"] if name in known else []
        return found

    def altered(self, changes: Mapping[str, Any]) -> Run:
        """The same weights in a model with another setting, such as a prior's: ``{"parts.Z.truncation": 0.5}``.

        Raises:
            UserError: there is no such setting, or it cannot be so.
        """
        other = copy.copy(self)
        other._loaded = {}
        vars(other).pop("blueprint", None)
        where = str(self.checkpoint.path)
        other.spec = config.from_plain(self.name, self.config, where, self.registry, (), changes)
        return other

    def project(self, images: torch.Tensor, value: str | None = None, **settings: Any) -> Projected:
        """The points, such as styles, from which the model makes images as near as possible to given ones, ``n C H W``.

        Args:
            images: The images to come near to, in the range of the data.
            value: The named value to find; the only vector that samples are computed from, if not given.
            settings: ``steps``, ``seed``, ``by``, an extractor among the parts, and ``given``, other inputs by name.

        Raises:
            UserError: there is no such value, samples do not depend on it, or sizes differ.
        """
        from ganzoo.run.project import project

        return project(self, images, value, **settings)

    def part(self, name: str) -> Any:
        """One part; no other is loaded for it."""
        return self._parts_of([name])[name]

    def field(self, name: str) -> Field | None:
        """What an input is: a data field, or a named value that is an image, in the range of the data's images."""
        if name in self.fields or name not in self.spec.flow:
            return self.fields.get(name)
        shape = self.shape(name)
        return Field("image", shape, image_range(self.fields, shape=shape)) if shape and len(shape) == 3 else None

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a named value, without its rows; None where it is no tensor, or meta cannot compute it."""
        program = Program(self.spec.flow, self.blueprint.parts.__getitem__, self.blueprint.kind, dry=True)
        turn = dry_turn(self.blueprint)
        try:
            with draw.using(turn.draws), torch.no_grad():
                found = first(program.value(self.spec.flow[name])(turn))
        except EvaluationError:  # what meta cannot do
            return None
        return tuple(found.shape[1:]) if isinstance(found, torch.Tensor) else None

    def check_input(self, name: str) -> None:
        """Raises UserError where that is neither a data field nor a named value."""
        known = [*self.fields, *self.spec.flow]
        if name not in known and not self.sampling_arguments(name):
            having = [n for n, f in self.fields.items() if f.by_name and name in [c.name for c in f.columns]]
            hint = f'write {having[0]}="{name}=…"' if having else choices(name, known)
            raise UserError(f"there is no input '{name}' ({hint})")

    def in_rows(self, name: str, n: int | None = None) -> tuple[torch.Tensor, int]:
        """`n` labels, ten of each class if not given, class after class; and how many of each.

        Raises:
            UserError: there is no such label.
        """
        labels = {key: field for key, field in self.fields.items() if field.kind == "label"}
        if name not in labels:
            raise UserError(f"there is no label '{name}' ({choices(name, labels) or 'the data has none'})")
        return labels[name].in_rows(n or 10 * len(labels[name].classes))

    def equation(self, value: str) -> Value:
        """A named value, a data field, or an expression over them.

        Raises:
            UserError: it is none of these.
        """
        if value in self.spec.flow:
            return self.spec.flow[value]
        known = [*self.spec.flow, *self.fields]
        try:
            expr = parse(value)
        except ExpressionError as error:
            raise UserError(str(error)) from None
        unknown = next((n for n in names(expr) if n not in (*known, *self.spec.parts, *RESERVED)), None)
        if unknown is not None or (isinstance(expr, Name) and value not in known):
            name = unknown or value
            raise UserError(f"there is no value '{name}' ({choices(name, known)})")
        return Value(value, value, expr, Origin(str(self.checkpoint.path)), value)

    def input(self, name: str, item: Any, n: int) -> torch.Tensor:
        """One input as a tensor with its batch."""
        self.check_input(name)
        field = self.fields.get(name)
        item = from_numpy(item)
        if isinstance(item, torch.Tensor):
            if item.ndim == 0:
                raise UserError(f"{name} has no rows; give a tensor of n …")
            if field is not None and field.kind == "label":
                return field.labels(name, item)
            return item.float() if item.is_floating_point() else item
        items = item if isinstance(item, list | tuple) else [item] * n
        if field is None and (found := codes.rows(self, name, items)) is not None:
            return found
        if field is None or (field.kind not in ("label", "text") and not field.by_name):
            raise UserError(f"{name} should be a tensor")
        if field.by_name:
            return torch.cat([field.vector(str(i)) for i in items])
        if field.kind == "text":
            return embedded(name, field, [str(i) for i in items], self.registry)
        return torch.tensor([field.label(str(i)) for i in items])
