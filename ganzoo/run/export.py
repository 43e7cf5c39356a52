"""A value of a run as one file for other programs: ONNX, torch.export, or weights alone; checked before it is kept."""

from __future__ import annotations

import copy
import json
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

import ganzoo
from ganzoo.config.spec import Value
from ganzoo.config.static import Graph
from ganzoo.data.fields import Field
from ganzoo.errors import GanzooError, Problem, UserError, choices, listed
from ganzoo.model.traced import Input, Tape, Traced, flat, lengths
from ganzoo.run import formats
from ganzoo.run.warm import averaged
from ganzoo.store.files import atomic

if TYPE_CHECKING:
    from ganzoo.run.opened import Run

Format = Literal["onnx", "torch", "safetensors"]
Precision = Literal["fp32", "fp16", "int8"]
Dropout = Literal["off", "input"]
Statistics = Literal["batch", "running"]
SUFFIXES: dict[str, Format] = {".onnx": "onnx", ".pt2": "torch", ".safetensors": "safetensors"}
TOLERANCE = 1e-3  # of the largest difference, for values up to 1
BATCHES = (1, 2, 5)
CHANNELS = {1: "grey", 3: "red, green, blue", 4: "red, green, blue, alpha"}


@dataclass
class Port:
    """An input or output of a file: its shape, ``batch 3 height width``, its type, and what it means in words."""

    shape: list[int | str]
    dtype: str
    means: str


@dataclass
class Exported:
    """What was written, and how it was checked.

    Args:
        path: The file.
        value: The value.
        of: The model, the step, and which weights.
        format: The format, and its version where it has one.
        precision: That of the weights.
        inputs: By name.
        outputs: By name.
        notes: What a user has to know: fixed sizes, batch statistics.
        difference: The largest from PyTorch's single precision, in inputs that were made afresh; None of weights alone,
            which were read back equal.
        psnr: Of the same in dB, for 16 and 8 bits.
        checked: The inputs' sizes.
        bytes: Of the file.
    """

    path: str
    value: str
    of: str
    format: str
    precision: str
    inputs: dict[str, Port] = field(default_factory=dict)
    outputs: dict[str, Port] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    difference: float | None = None
    psnr: float | None = None
    checked: list[str] = field(default_factory=list)
    bytes: int = 0

    def lines(self) -> list[str]:
        """The same for a terminal."""
        size = f"{self.bytes / 1e6:.2f} MB" if self.bytes >= 10_000 else f"{self.bytes} bytes"
        found = [f"{self.path}: {self.value} of {self.of}", f"  {self.format}, {self.precision}, {size}"]
        for kind, ports in (("in", self.inputs), ("out", self.outputs)):
            for name, port in ports.items():
                shape = " x ".join(map(str, port.shape))
                found.append(f"  {kind:3}  {name}  {shape}  {port.dtype}  {port.means}".rstrip())
        found += [f"  note {text}" for text in self.notes]
        if self.difference is not None:
            loss = f", PSNR {self.psnr:.1f} dB" if self.psnr is not None else ""
            found.append(f"  check: largest difference {self.difference:.2g}{loss} ({'; '.join(self.checked)})")
        return found


def export(
    run: Run,
    value: str,
    out: str | Path,
    format: Format | None = None,
    precision: Precision = "fp32",
    dropout: Dropout | None = None,
    statistics: Statistics = "batch",
    starts: Sequence[str] = (),
) -> Exported:
    """Write what computes a value into a file; see :meth:`ganzoo.run.opened.Run.export`."""
    path = Path(out)
    if format is None:
        if path.suffix not in SUFFIXES:
            raise UserError(f"{path}: the suffix names no format (write {', '.join(SUFFIXES)}, or --format)")
        format = SUFFIXES[path.suffix]
    for given, known in ((format, Format), (precision, Precision), (statistics, Statistics)):
        if given not in get_args(known):
            raise UserError(f"there is no '{given}' ({choices(given, get_args(known))})")
    if dropout not in (None, *get_args(Dropout)):
        raise UserError(f"dropout is off or input, not '{dropout}'")
    if (precision, format) in (("int8", "torch"), ("int8", "safetensors"), ("fp16", "torch")):
        raise UserError(f"{precision} is not written as {format}; --format onnx has it")
    formats.needs(format)
    notes: list[str] = []
    run = _settled(_on_cpu(run), value, dropout, statistics, notes)
    equation = run.equation(value)
    for name in starts:
        if name not in run.spec.flow:
            raise UserError(f"there is no named value '{name}' to start from ({choices(name, run.spec.flow)})")
        if name not in Graph(run.spec).of(equation):
            raise UserError(f"{value} is not computed from {name}")
    averages = set() if run.raw else set(averaged(run.checkpoint.state))
    kept = sorted(averages & set(Graph(run.spec).of(equation)))
    of = f"{run.name}, {f'step {run.step}' if run.step else 'weights from files'}"
    of += f", averaged weights of {listed(kept)}" if kept else ""
    made = Exported(str(path), value, of, format, precision, notes=notes)
    if format == "safetensors":
        _write_weights(run, equation, path, made)
    else:
        inference = run.inference(equation)
        with ExitStack() as stack:
            stack.enter_context(inference.evaluating())
            try:
                stack.enter_context(inference.standing([equation], {}))
            except UserError as error:
                hint = "set eval_bn: running on the part"
                raise UserError(Problem(f"standing statistics would depend on inputs: {error}", hint=hint)) from None
            _write_graph(run, Traced(inference, equation, starts), path, made)
    made.bytes = path.stat().st_size
    return made


def _on_cpu(run: Run) -> Run:
    if run.device.type == "cpu":
        return run
    other = copy.copy(run)
    other.device, other._loaded = torch.device("cpu"), {}
    return other


def _settled(run: Run, value: str, dropout: Dropout | None, statistics: Statistics, notes: list[str]) -> Run:
    """The run with what was chosen of dropout and batch statistics in evaluation.

    Raises:
        UserError: units are dropped, and nobody said what is to become of that.
    """
    needed = [run.spec.parts[n] for n in Graph(run.spec).of(run.equation(value)) if n in run.spec.parts]
    drops = sorted(part.name for part in needed if part.eval_dropout)
    batch = sorted(part.name for part in needed if part.eval_bn == "batch")
    if drops and dropout is None:
        message = f"{listed(drops)} drops units in evaluation too (eval_dropout), which no file does by itself"
        raise UserError(Problem(message, hint="choose --dropout off, or --dropout input: random numbers are inputs"))
    if drops:
        said = "a unit is kept whose number is p or more" if dropout == "input" else "left out, unlike in ganzoo"
        notes.append(f"dropout of {listed(drops)} in evaluation: {said}")
    if batch and statistics == "batch":
        usual = run.spec.train.batch
        notes.append(f"{listed(batch)} normalises by the statistics of the batch it is given (in training {usual});")
        notes.append("  the same input gives another output in another batch; --statistics running has none of that")
    elif batch:
        notes.append(f"{listed(batch)} normalises by running statistics, unlike in ganzoo (eval_bn: batch)")
    changes: dict[str, Any] = {f"parts.{name}.eval_dropout": False for name in drops if dropout == "off"}
    changes |= {f"parts.{name}.eval_bn": "running" for name in batch if statistics == "running"}
    return run.altered(changes) if changes else run


def _write_weights(run: Run, equation: Value, path: Path, made: Exported) -> None:
    """The tensors of every part that the value needs, as ``PART.TENSOR``."""
    every = run.inference(equation).parts
    parts = {name: part for name, part in every.items() if isinstance(part, nn.Module) and part.state_dict()}
    if not parts:
        raise UserError(f"{made.value} needs no weights")
    tensors = {f"{name}.{key}": t for name, part in parts.items() for key, t in part.state_dict().items()}
    if made.precision == "fp16":
        tensors = {key: t.half() if t.is_floating_point() else t for key, t in tensors.items()}
    made.notes += [f"part {name} ({run.spec.parts[name].entry.id}): parts.{name}.init={path}:{name}" for name in parts]
    formats.write_safetensors(path, tensors, _described(made))


class _OnlyThatSize(Exception):
    """What was written computes images of the data's size, and no others, though the network does."""


def _write_graph(run: Run, traced: Traced, path: Path, made: Exported) -> None:
    """The graph with images of any size, or else of the data's."""
    notes = list(made.notes)
    try:
        _write_sized(run, traced, path, made, images=True)
    except _OnlyThatSize:
        made.notes, made.checked = notes, []
        _write_sized(run, traced, path, made, images=False)


def _write_sized(run: Run, traced: Traced, path: Path, made: Exported, images: bool) -> None:
    """The graph, checked against the run's own parts before it is kept.

    Raises:
        UserError: the value cannot be written so, or what was written computes something else.
    """
    program, tape, value = _program(traced, made, images)
    names = [_named(name, made.value) for name in flat(value)]
    shapes, results = _shapes(program, tape)
    made.inputs = {n: _port(t, shapes[n], _means(run, n, tape.inputs[n])) for n, t in tape.made.items()}
    unused = _nodes(program, tape).keys() - _used(program, tape)
    for name in unused:
        made.inputs[name].means = "not used"
        if made.format == "onnx":
            del made.inputs[name]
    tensors = flat(value).values()
    made.outputs = {n: _port(t, s, _meaning(run, n)) for n, t, s in zip(names, tensors, results, strict=True)}
    described = _described(made)
    with atomic(path) as file:
        if made.format == "torch":
            torch.export.save(program, file, extra_files={"ganzoo.json": json.dumps(described)})
        else:
            file.write(formats.onnx_bytes(program, tape.made, made.inputs, made.outputs, described, made.precision))
        file.flush()
        _check(traced, tape, made, formats.loaded(Path(str(file.name)), made.format))


def _described(made: Exported) -> dict[str, str]:
    """What a file says of itself."""
    found = {"value": made.value, "of": made.of, "notes": "\n".join(made.notes), "ganzoo": ganzoo.__version__}
    for kind, ports in (("inputs", made.inputs), ("outputs", made.outputs)):
        if ports:
            found[kind] = json.dumps({name: asdict(port) for name, port in ports.items()})
    return found


def _program(traced: Traced, made: Exported, any_size: bool) -> tuple[ExportedProgram, Tape, Any]:
    """The graph, with as many sizes left open as its operations allow; and inputs and the value as they were made.

    Raises:
        UserError: the value has no inputs, is no tensor, draws numbers by itself, or cannot be traced.
    """
    tape, value = traced.record(1, 0)
    if not tape.made or not flat(value):
        raise UserError(f"{made.value} is no tensor" if tape.made else f"{made.value} has no inputs")
    problem: Exception | None = None
    for images, rows in ((True, True), (False, True), (False, False)):
        if images and not (any_size and _stretches(traced, tape)):
            continue
        tape, value = traced.record(3 if rows else 1, 0)
        axes = {name: _open(tape, name, images, rows) for name in tape.made}
        module = traced.taking(list(tape.made))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with lengths():
                    program = torch.export.export(module, (), dict(tape.made), dynamic_shapes=axes)
        except Exception as error:  # torch raises many kinds, and parts do
            problem = problem or error
            continue
        _without_chance(program, made)
        shapes, _ = _shapes(program, tape)
        if rows and any(isinstance(shape[0], int) for shape in shapes.values()):
            continue
        for name in tape.made:
            may = {0: "batch"} | ({2: "height", 3: "width"} if _is_image(tape, name) else {})
            fixed = [word for axis, word in may.items() if isinstance(shapes[name][axis], int)]
            if fixed:
                made.notes.append(f"{' and '.join(fixed)} of {name} cannot change")
        return program, tape, value
    raise UserError(f"{made.value} cannot be written as a graph: {_brief(problem or Exception())}")


def _stretches(traced: Traced, tape: Tape) -> bool:
    """Whether the value can be computed from images of another size."""
    try:
        return any(_is_image(tape, name) for name in tape.made) and bool(traced.record(1, 0, wide=True))
    except GanzooError:
        return False


def _is_image(tape: Tape, name: str) -> bool:
    return tape.made[name].ndim == 4 and tape.inputs[name].kind in ("image", "value")


def _open(tape: Tape, name: str, images: bool, rows: bool) -> dict[int, Any]:
    """The axes of an input whose sizes are left open."""
    axes = [0] if rows else []
    axes += [2, 3] if images and tape.made[name].ndim == 4 and tape.inputs[name].kind != "latent" else []
    return dict.fromkeys(axes, torch.export.Dim.AUTO)


def _without_chance(program: ExportedProgram, made: Exported) -> None:
    """Raises UserError where the graph would draw numbers by itself, which nobody could repeat or check."""
    chance = ("rand", "normal", "bernoulli", "dropout", "multinomial", "exponential")
    for node in program.graph.nodes:
        name = str(node.target).removeprefix("aten.").split(".")[0]
        idle = "dropout" in name and list(node.args[2:3]) == [False]
        if node.op == "call_function" and not idle and name.strip("_").removeprefix("native_").startswith(chance):
            raise UserError(
                f"{made.value} draws numbers inside ({node.target}), which are no input that could be given"
            )


def _nodes(program: ExportedProgram, tape: Tape) -> dict[str, Any]:
    """The graph's inputs; they come behind its weights."""
    return dict(zip(tape.made, program.graph.find_nodes(op="placeholder")[-len(tape.made) :], strict=True))


def _used(program: ExportedProgram, tape: Tape) -> set[str]:
    """The inputs that the outputs are computed from."""
    seen, waiting = set(), list(program.graph.find_nodes(op="output"))
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += node.all_input_nodes
    return {name for name, node in _nodes(program, tape).items() if node in seen}


def _shapes(program: ExportedProgram, tape: Tape) -> tuple[dict[str, list[int | str]], list[list[int | str]]]:
    """The shapes of the inputs and of the outputs; sizes that are open have names."""
    nodes = _nodes(program, tape)
    named: dict[str, str] = {}

    def shape(tensor: Tensor, name: str = "") -> list[int | str]:
        found: list[int | str] = []
        for axis, size in enumerate(tensor.shape):
            if isinstance(size, int):
                found.append(size)
                continue
            text = str(size)
            if text.isidentifier() and text not in named:
                what = "batch" if axis == 0 else ("height", "width")[axis - 2] if axis in (2, 3) else f"{name}_{axis}"
                named[text] = what if what not in named.values() else f"{name}_{what}"
            found.append(re.sub(r"[A-Za-z_]\w*", lambda m: named.get(m[0], m[0]), text))
        return found

    inputs = {name: shape(nodes[name].meta["val"], name) for name in tape.made}
    results = program.graph.find_nodes(op="output")[0].args[0]
    return inputs, [shape(node.meta["val"]) for node in results]


def _check(traced: Traced, tape: Tape, made: Exported, compute: Callable[[Mapping[str, Tensor]], list[Tensor]]) -> None:
    """Compare with what the run's own parts compute from inputs made afresh.

    Raises:
        UserError: they differ, or what was written does not run.
    """
    rows = BATCHES if all(isinstance(port.shape[0], str) for port in made.inputs.values()) else (1,)
    wide = any(isinstance(port.shape[-1], str) for name, port in made.inputs.items() if _is_image(tape, name))
    worst, squares, count, peak, largest = 0.0, 0.0, 0, 0.0, 1.0
    for index, (n, other) in enumerate([*((n, False) for n in rows), *([(2, True)] if wide else [])]):
        given, _ = traced.record(n, 1 + index, other)
        wanted = flat(traced.own(given.made)).values()
        shown = {"x".join(map(str, t.shape[1:])) for name, t in given.made.items() if _is_image(given, name)}
        made.checked.append(" of ".join([f"batch {n}", *sorted(shown)]))
        try:
            found = compute(given.made)
        except Exception as error:  # of another program
            if other:
                raise _OnlyThatSize from None
            raise UserError(f"{made.path} was not kept: it does not run, {made.checked[-1]}: {_brief(error)}") from None
        for a, b in zip(wanted, found, strict=True):
            if a.shape != b.shape and other:
                raise _OnlyThatSize
            if a.shape != b.shape:
                raise UserError(f"{made.path} was not kept: shape {list(b.shape)} instead of {list(a.shape)}")
            difference = (a.double() - b.double()).abs()
            worst = max(worst, float(difference.max()) if torch.isfinite(b).all() else math.inf)
            squares, count = squares + float((difference**2).sum()), count + a.numel()
            peak, largest = max(peak, float(a.max() - a.min())), max(largest, float(a.abs().max()))
    made.difference = worst
    if made.precision != "fp32" and math.isfinite(worst):
        made.psnr = 10 * math.log10(max(peak**2 * count, 1e-30) / max(squares, 1e-30))
    elif not worst <= TOLERANCE * largest:
        of = f" (values go up to {largest:.3g})" if largest > 1 else ""
        raise UserError(f"{made.path} was not kept: it differs by {worst:.2g} from PyTorch{of}; {TOLERANCE} is allowed")


def _port(tensor: Tensor, shape: list[int | str], means: str) -> Port:
    return Port(shape, str(tensor.dtype).removeprefix("torch."), means)


def _means(run: Run, name: str, what: Input) -> str:
    """An input in words."""
    if what.kind == "latent":
        arguments = run.blueprint.args.get(f"parts.{what.of}", {})
        given = ", ".join(f"{key}={value}" for key, value in arguments.items() if value is not None)
        return f"{run.spec.parts[what.of].entry.id}({given})"
    if what.kind == "value":
        return _meaning(run, name)
    if not isinstance(what.of, Field):
        return f"{'N(0, 1)' if what.kind == 'normal' else 'U(0, 1)'}, drawn in {what.of}"
    if what.of.kind == "label":
        classes = what.of.classes
        return f"label, 0 to {len(classes) - 1}: {listed(classes, 20)}" if classes else "label"
    if what.of.kind == "text":
        return f"embedding of a text by {what.of.encoder or 'the encoder of its data'}"
    return _image(what.of) if what.of.kind == "image" else f"vector{_range(what.of)}"


def _meaning(run: Run, name: str) -> str:
    """An output in words."""
    field = run.field(name)
    return _image(field) if field is not None and field.kind == "image" and field.shape[0] in CHANNELS else ""


def _image(field: Field) -> str:
    return f"image, channels {CHANNELS.get(field.shape[0], field.shape[0])}{_range(field)}"


def _range(field: Field) -> str:
    return f", range {field.range[0]:g} to {field.range[1]:g}" if field.range is not None else ""


def _named(name: str, value: str) -> str:
    """An output's name: that of its field, or the value's, as programs take it."""
    return name or re.sub(r"\W+", "_", value).strip("_")


def _brief(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
