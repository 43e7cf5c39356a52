"""The checks of the conformance test, kind by kind."""

from __future__ import annotations

import copy
import inspect
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from ganzoo import draw
from ganzoo.contract import Measured, first, map_tensors
from ganzoo.model.factory import arguments
from ganzoo.registry import Entry
from ganzoo.testing.inputs import EXAMPLES, Example, Means, arrange, build, critic, images, net, parameters_of

RESERVED = ("use", "with", "like", "init", "eval_bn", "eval_dropout", "lr_scale")


def check_component(entry: Entry, args: Mapping[str, Any]) -> None:
    """Every check that applies to the component's kind.

    Raises:
        AssertionError: a promise is broken.
    """
    factory = entry.load()
    foreign = isinstance(entry.target, str) and entry.target.startswith("torch.")
    if not foreign:
        _documented(entry, factory)
    taken = set(arguments(factory)) & set(RESERVED)
    assert not taken, f"the argument names {sorted(taken)} are the model file's own"
    check = {
        "generator": _network,
        "discriminator": _network,
        "encoder": _network,
        "extractor": _extractor,
        "adversarial": _adversarial,
        "loss": _loss,
        "regularizer": _regularizer,
        "prior": _prior,
        "op": _op,
        "data": _data,
        "augment": _augment,
        "optimizer": _optimizer,
        "schedule": _schedule,
        "metric": _metric,
        "phases": _phases,
    }.get(entry.kind)
    if entry.facts.get("reads") == "captions":
        check = _captions
    if check is not None:
        check(entry, factory, args)


def _documented(entry: Entry, factory: Callable[..., Any]) -> None:
    doc = inspect.getdoc(factory) or ""
    assert doc, f"{entry.id} has no docstring"
    assert any(word in doc for word in ("Paper:", "Source:")), f"{entry.id}: the docstring names no Paper: or Source:"
    source = entry.source()
    assert source.line > 0, f"{entry.id}: its source line cannot be found ({source.file})"


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def _drawing(seed: int = 0, share: tuple[int, int] = (0, 1)) -> Any:
    return draw.using(draw.Draws((seed, "conformance"), torch.device("cpu"), share))


def _made(factory: Callable[..., Any], example: Example, args: Mapping[str, Any], seed: int = 3) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(factory, example, args)


def _finite(output: Any, what: str) -> None:
    def look(tensor: Tensor) -> Tensor:
        assert torch.isfinite(tensor.float()).all(), f"{what} is not finite"
        return tensor

    map_tensors(look, output)


def _same(a: Any, b: Any, what: str) -> None:
    pairs = zip(_tensors(a), _tensors(b), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs), what


def _tensors(output: Any) -> list[Tensor]:
    found: list[Tensor] = []
    map_tensors(lambda tensor: found.append(tensor) or tensor, output)  # type: ignore[func-returns-value]
    return found


def _network(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Builds from facts at any channel count and size it accepts, trains, is deterministic, is stored and restored."""
    accepted = 0
    for example in EXAMPLES:
        facts = example.facts()
        asked = [name for name, a in arguments(factory).items() if a.is_fact and a.default is inspect.Parameter.empty]
        if any(name not in facts for name in asked):
            continue  # images asked for, points at hand
        try:
            part = _made(factory, example, args)
        except ValueError as error:
            assert any(ch.isdigit() for ch in str(error)), f"{entry.id} refuses {example} without naming sizes: {error}"
            continue
        accepted += 1
        _one_network(entry, factory, args, example, part)
    assert accepted, f"{entry.id} accepts no example at all"


def _one_network(entry: Entry, factory: Any, args: Mapping[str, Any], example: Example, part: Any) -> None:
    where = f"{entry.id} at {example}"
    given = arrange(part, example.inputs(_seeded()))
    part.eval()
    with _drawing(), torch.no_grad():
        once = part(**given)
    twin = _made(factory, example, args).eval()
    with _drawing(), torch.no_grad():
        _same(once, twin(**given), f"{where}: two builds from one seed differ")
    _finite(once, f"{where}: its output")
    _outputs(entry, once, example, where)
    restored = _made(factory, example, args, seed=4).eval()
    restored.load_state_dict(copy.deepcopy(part.state_dict()))
    with _drawing(), torch.no_grad():
        _same(once, restored(**given), f"{where}: a state_dict does not bring the outputs back")
    part.train()
    inputs = {k: v.requires_grad_() if isinstance(v, Tensor) and v.is_floating_point() else v for k, v in given.items()}
    with _drawing():
        sum(t.square().mean() for t in _tensors(part(**inputs)) if t.is_floating_point()).backward()  # type: ignore[union-attr]
    for name, parameter in part.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, f"{where}: no gradient reaches {name}"
            assert torch.isfinite(parameter.grad).all(), f"{where}: the gradient of {name} is not finite"
    for name, value in inputs.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            assert value.grad is not None, f"{where}: no gradient reaches the input {name}"
    with torch.device("meta"):
        meta = build(factory, example, args)
    shapes = [t.shape for t in _tensors(meta.eval()(**arrange(meta, example.inputs(_seeded(), "meta"))))]
    assert shapes == [t.shape for t in _tensors(once)], f"{where}: other shapes on the meta device"


def _captions(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Strings become rows of its `width`, whatever the other captions are; unlike captions, unlike rows."""
    encode = factory(**args)
    captions = ["a smiling cat", "two dogs, running in the rain", "Übergrößenträger", "a red car"]
    rows = encode(captions)
    assert rows.shape == (4, encode.width), f"{entry.id} gives {tuple(rows.shape)} for 4 captions"
    _finite(rows, f"{entry.id}: its output")
    assert not rows.requires_grad, f"{entry.id} is part of no graph"
    alone = torch.cat([encode([caption]) for caption in captions])
    assert torch.allclose(rows, alone, atol=1e-4), f"{entry.id}: the other captions of a batch matter"
    assert torch.equal(rows, factory(**args)(captions)), f"{entry.id}: two builds differ"
    assert len(rows.unique(dim=0)) == 4, f"{entry.id} gives unlike captions one embedding"


def _outputs(entry: Entry, output: Any, example: Example, where: str) -> None:
    if entry.kind == "discriminator":
        fields = getattr(output, "_fields", ())
        assert fields[:1] == ("logit",), f"{where}: a discriminator returns a NamedTuple whose first field is `logit`"
        assert len(output[0]) == example.batch, f"{where}: the logit has {len(output[0])} rows for {example.batch}"
    elif isinstance(output, tuple):
        assert hasattr(output, "_fields"), f"{where}: several outputs are a NamedTuple"
    if entry.kind == "generator":
        image = first(output)
        assert tuple(image.shape) == (example.batch, *example.shape), f"{where}: gives {tuple(image.shape)}"
        if "out_range" in arguments(entry.load()) and example.range is not None and not example.points:
            low, high = example.range
            inside = bool((image >= low - 1e-4).all() and (image <= high + 1e-4).all())
            assert inside, f"{where}: leaves the range {low}..{high} of the data"


def _extractor(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Fixed, deterministic, row by row, independent of the data's range; other shapes are refused naming sizes."""
    accepted, refusal = 0, ""
    for example in EXAMPLES:
        if example.points:
            continue
        try:
            part = _made(factory, example, args)
            with torch.no_grad():
                output = part(example.inputs(_seeded())["x"])
        except ValueError as error:
            assert any(ch.isdigit() for ch in str(error)), f"{entry.id} refuses {example} without naming sizes: {error}"
            refusal = str(error)
            continue
        accepted += 1
        _one_extractor(entry, factory, args, example, part, output)
    assert accepted, f"{entry.id} accepts no example at all: {refusal}"


def _one_extractor(
    entry: Entry, factory: Any, args: Mapping[str, Any], example: Example, part: Any, output: Any
) -> None:
    where = f"{entry.id} at {example}"
    x = example.inputs(_seeded())["x"]
    assert getattr(output, "_fields", ())[:1] == ("features",), f"{where}: returns a NamedTuple that begins `features`"
    shape = (example.batch, output.features.shape[-1])
    assert output.features.shape == shape, f"{where}: features are {tuple(output.features.shape)}, not one row a sample"
    _finite(output, f"{where}: its output")
    assert re.fullmatch("[0-9a-f]{64}", getattr(part, "sha256", "")), f"{where}: has no sha256 of its weights' file"
    assert not list(part.parameters()) and not part.state_dict(), f"{where}: its weights can be trained, or are stored"
    with torch.no_grad():
        _same(output, part.train()(x), f"{where}: differs in training mode")
        _same(output, _made(factory, example, args, seed=4)(x), f"{where}: two builds differ")
        rows = torch.cat([part(row[None]).features for row in x])
        assert torch.allclose(output.features, rows, atol=1e-4), f"{where}: the other images of a batch matter"
        other = _made(factory, replace(example, range=(0.0, 255.0)), args)
        low, high = example.range or (-1.0, 1.0)
        stretched = other((x - low) * (255.0 / (high - low))).features
        assert torch.allclose(output.features, stretched, atol=1e-3), f"{where}: disregards the range of the data"
    x.requires_grad_()
    part(x).features.square().sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all(), f"{where}: no finite gradient reaches the images"
    with torch.device("meta"):
        meta = build(factory, example, args)(x.detach().to("meta"))
    assert [t.shape for t in meta] == [t.shape for t in output], f"{where}: other shapes on the meta device"


def _adversarial(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Both sides are finite scalars with gradients, for logits of any shape, and pull real and fake apart."""
    loss = factory(**args)
    for shape in [(6,), (6, 1), (6, 1, 4, 5)]:
        generator = _seeded()
        real = (0.4 + 0.1 * torch.randn(shape, generator=generator)).requires_grad_()
        fake = (0.4 + 0.1 * torch.randn(shape, generator=generator)).requires_grad_()
        d, g = loss.d(real, fake), loss.g(fake, real)
        for side, value in (("d", d), ("g", g)):
            assert value.ndim == 0, f"{entry.id}.{side} is no scalar for logits {shape}"
            assert torch.isfinite(value), f"{entry.id}.{side} is not finite for logits {shape}"
        grad_real, grad_fake = torch.autograd.grad(d, [real, fake])
        assert grad_real.sum() < 0 < grad_fake.sum(), f"{entry.id}.d should push real logits up and fake ones down"
        (grad,) = torch.autograd.grad(g, fake)
        assert grad.sum() < 0, f"{entry.id}.g should push fake logits up"
        huge = loss.d(100 * torch.ones(shape), -100 * torch.ones(shape))
        assert torch.isfinite(huge), f"{entry.id}.d overflows at logits of 100"


def _loss(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    loss = factory(**args)
    for example in (Example(), Example(points=True), Example(1, (8, 12))):
        given = example.inputs(_seeded())
        if entry.name == "cross_entropy" or "label" in parameters_of(loss):
            given["x"] = given["x"].flatten(1)[:, :2].repeat(1, 3)[:, : example.classes]
        inputs = arrange(loss, given)
        floats = [k for k, v in inputs.items() if isinstance(v, Tensor) and v.is_floating_point()]
        inputs |= {name: inputs[name].clone().requires_grad_() for name in floats}
        value = loss(**inputs)
        assert value.ndim == 0, f"{entry.id} is no scalar at {example}"
        assert torch.isfinite(value), f"{entry.id} is not finite at {example}"
        grads = torch.autograd.grad(value, [inputs[name] for name in floats], allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in grads), f"{entry.id} has no gradient at {example}"


def _regularizer(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """One of three shapes: a penalty is called, a constraint has ``after_step``, a layer has ``attach``."""
    tool = factory(**args)
    shapes = [callable(tool), hasattr(tool, "after_step"), hasattr(tool, "attach")]
    assert any(shapes), f"{entry.id} is no penalty, no constraint (after_step) and no layer (attach)"
    if callable(tool):
        for example in (Example(1, (8, 12)), Example(points=True)):
            generator = _seeded()
            given = {**example.inputs(generator), "critic": critic(example, generator), "part": net()}
            with _drawing():
                value = tool(**arrange(tool, given))
            assert value.ndim == 0, f"{entry.id} is no scalar"
            assert torch.isfinite(value), f"{entry.id} is not finite"
            with _drawing():
                again = tool(**arrange(tool, given))
            assert torch.equal(value, again), f"{entry.id} draws outside ganzoo.draw, so it would not resume exactly"
    if hasattr(tool, "after_step"):
        part = net()
        tool.after_step(part)
        before = [p.clone() for p in part.parameters()]
        tool.after_step(part)
        assert all(torch.equal(a, b) for a, b in zip(before, part.parameters(), strict=True)), (
            f"{entry.id}: a constraint changes what already keeps it"
        )
    if hasattr(tool, "attach"):
        _attach(entry, tool)


def _attach(entry: Entry, tool: Any) -> None:
    class Judge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten())
            self.head: nn.Module = nn.Linear(4 * 16, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(x)).squeeze(1)

    torch.manual_seed(0)
    part: nn.Module = Judge()
    part = tool.attach(part) or part
    x = torch.randn(4, 3, 8, 8, generator=_seeded())
    with _drawing():
        output = part(x)
    assert output.shape == (4,), f"{entry.id} changes the shape of the output"
    output.sum().backward()
    for name, parameter in part.named_parameters():
        assert parameter.grad is not None, f"{entry.id}: no gradient reaches {name}"
    part.eval()
    with torch.no_grad():
        assert torch.equal(part(x), part(x)), f"{entry.id} is random or learns in evaluation mode"


def _prior(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Right batch, reproducible, and the same for any number of processes."""
    prior = build(factory, Example(), args)
    with _drawing():
        whole = prior(n=8)
    assert len(whole) == 8, f"{entry.id} gives {len(whole)} rows for n=8"
    with _drawing():
        assert torch.equal(whole, prior(n=8)), f"{entry.id} is not deterministic under its seed"
    parts = []
    for index in range(2):
        with _drawing(share=(index, 2)):
            parts.append(prior(n=4))
    assert torch.equal(whole, torch.cat(parts)), f"{entry.id} gives two processes other rows than one (use ganzoo.draw)"
    with _drawing():
        first_draw, second_draw = prior(n=64), prior(n=64)
    assert not torch.equal(first_draw, second_draw), f"{entry.id} gives the same rows twice in one turn"


def _op(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Finite on images, on points, or on both; what it refuses it refuses naming sizes."""
    accepted = 0
    for example in (Example(), Example(points=True)):
        try:
            op = build(factory, example, args)
        except ValueError:  # it is not for points, or not for images
            continue
        given = example.inputs(_seeded())
        parameters = parameters_of(op)
        starred = [p for p in parameters.values() if p.kind is p.VAR_POSITIONAL]
        call = (lambda: op(given["x"], given["x"])) if starred else (lambda: op(**arrange(op, given)))  # noqa: B023
        try:
            with _drawing():
                _finite(call(), entry.id)
        except ValueError as error:
            assert any(ch.isdigit() for ch in str(error)), f"{entry.id} refuses {example} without naming sizes: {error}"
            continue
        accepted += 1
    assert accepted, f"{entry.id} accepts no example at all"


def _augment(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Shape kept, differentiable, reproducible, the same for any number of processes, and it does something."""
    augment = factory(**args)
    for example in EXAMPLES:
        if example.points:
            continue
        x = example.inputs(_seeded())["x"].requires_grad_()
        with _drawing():
            y = augment(x)
        assert y.shape == x.shape, f"{entry.id} gives {tuple(y.shape)} at {example}"
        assert not torch.equal(x, y), f"{entry.id} changes nothing at {example}"
        y.sum().backward()
        assert x.grad is not None, f"{entry.id} lets no gradient through"
        assert torch.isfinite(x.grad).all(), f"{entry.id}: its gradient is not finite"
        halves = []
        for index in range(2):
            with _drawing(share=(index, 2)):
                halves.append(augment(x[2 * index : 2 * index + 2]))
        assert torch.allclose(y, torch.cat(halves)), f"{entry.id} gives two processes other draws than one"
    if hasattr(augment, "attach"):
        _attach(entry, augment)


def _data(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """What it gives is what its fields promise."""
    data = factory(**args)
    fields = dict(data.fields)
    stated = entry.facts.get("fields")
    promised = stated(dict(args)) if callable(stated) else stated
    if promised is not None:
        assert sorted(promised) == sorted(fields), f"{entry.id} registers fields {promised}, but has {sorted(fields)}"
    index = torch.tensor([0, len(data) - 1, 0])
    batch = data.batch(index, torch.device("cpu"))
    assert sorted(batch) == sorted(fields), f"{entry.id} gives {sorted(batch)}, but promises {sorted(fields)}"
    for name, field in fields.items():
        rows = batch[name]
        assert tuple(rows.shape) == (3, *field.shape), (
            f"{entry.id}: {name} is {tuple(rows.shape[1:])}, not {field.shape}"
        )
        assert torch.equal(rows[0], rows[2]), f"{entry.id}: one index gives two rows"
        if field.kind == "label":
            assert rows.dtype == torch.int64, f"{entry.id}: labels are int64"
            assert int(rows.min()) >= 0 and int(rows.max()) < len(field.classes), f"{entry.id}: a label has no class"
        else:
            assert rows.dtype == torch.float32, f"{entry.id}: {name} is {rows.dtype}, not float32"
        if field.range is not None:
            low, high = field.range
            assert low <= float(rows.min()) and float(rows.max()) <= high, f"{entry.id}: {name} leaves its range"
    assert data.fingerprint() == factory(**args).fingerprint(), f"{entry.id}: its fingerprint changes"


def _optimizer(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Lowers a simple loss, and goes on from its state as if nothing had happened."""
    rate = {"lr": 0.01} if "lr" in arguments(factory) else {}

    def trained(steps: int, parameter: nn.Parameter, optimizer: Any) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            parameter.square().sum().backward()
            optimizer.step()

    parameter = nn.Parameter(torch.ones(3))
    optimizer = factory(params=[parameter], **rate, **args)
    trained(5, parameter, optimizer)
    assert parameter.square().sum() < 3, f"{entry.id} does not lower a square"
    twin = nn.Parameter(parameter.detach().clone())
    restored = factory(params=[twin], **rate, **args)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    trained(3, parameter, optimizer)
    trained(3, twin, restored)
    assert torch.equal(parameter, twin), f"{entry.id} does not go on exactly from its state"


def _schedule(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    known = arguments(factory)
    if isinstance(factory, type) and issubclass(factory, LRScheduler):
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
        scheduler = factory(optimizer=optimizer, **args)
        optimizer.step()
        scheduler.step()
        assert math.isfinite(optimizer.param_groups[0]["lr"]), f"{entry.id} gives a rate that is not finite"
        return
    given = {"steps": 100, **args} if "steps" in known else dict(args)
    schedule: Any = factory(**given)
    values = [schedule(step) for step in (0, 1, 50, 100, 1000)]
    assert all(isinstance(v, int | float) and math.isfinite(v) for v in values), f"{entry.id} gives {values}"


def _metric(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    metric = factory(**args)
    taken = parameters_of(metric)
    of_images = "extractor" in taken or any(_of_images(value) for value in args.values()) or "in_range" in args
    example = Example(1, (28, 28), batch=20) if of_images else Example(points=True)
    given = {**example.inputs(_seeded()), "logit": torch.randn(8, generator=_seeded()), "extractor": Means()}
    given["generator"] = images(example, _seeded())
    if "label" in taken and taken["label"].annotation in (int, "int"):
        given["label"] = 1
    elif "label" in taken:
        given["logit"] = torch.randn(example.batch, example.classes, generator=_seeded())
    found = metric(**arrange(metric, given))
    values, protocol, _ = found if isinstance(found, Measured) else Measured(found)
    numbers = values.values() if isinstance(values, Mapping) else [values]
    assert all(isinstance(v, float) and math.isfinite(v) for v in numbers), f"{entry.id} gives {values}"
    json.dumps(dict(protocol))
    better = getattr(metric, "better", "lower")
    said = {**better} if isinstance(better, Mapping) else {"": better}
    assert set(said.values()) <= {"lower", "higher"}, f"{entry.id}: better is {better}, not lower or higher"
    assert set(said) <= {"", *(values if isinstance(values, Mapping) else ())}, f"{entry.id} gives no {sorted(said)}"


def _of_images(source: Any) -> bool:
    """Whether that is data, or a reference, with images."""
    return any(field.kind == "image" for field in getattr(source, "fields", {}).values())


def _phases(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    made = factory(**args)
    assert isinstance(made, Mapping) and made, f"{entry.id} gives no phases"
    for name, phase in made.items():
        assert str(name).isidentifier(), f"{entry.id}: '{name}' is no name"
        steps = phase.get("steps") if isinstance(phase, Mapping) else None
        assert isinstance(steps, int) and steps > 0, f"{entry.id}: phase {name} has no steps"
