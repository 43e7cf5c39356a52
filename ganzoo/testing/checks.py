"""The checks of the conformance test, kind by kind."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from einops import EinopsError
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from ganzoo.config.typecheck import coerce
from ganzoo.errors import listed
from ganzoo.model.factory import EMPTY, arguments
from ganzoo.registry import Entry
from ganzoo.testing import data, losses, networks
from ganzoo.testing.common import drawing, failing, finite, refusal, seeded
from ganzoo.testing.inputs import EXAMPLES, Example, arrange, build, lacks, parameters_of

RESERVED = ("use", "with", "like", "init", "match", "eval_bn", "eval_dropout", "shard", "lr_scale")


def check_component(entry: Entry, args: Mapping[str, Any]) -> None:
    """Every check that applies to the component's kind.

    Raises:
        AssertionError: a promise is broken.
    """
    factory = entry.load()
    foreign = isinstance(entry.target, str) and entry.target.startswith("torch.")
    if not foreign:
        _documented(entry, factory)
        _defaults(entry, factory)
    taken = set(arguments(factory)) & set(RESERVED)
    assert not taken, f"the argument names {sorted(taken)} are the model file's own"
    if not foreign:
        _given(entry, factory, args)
    check = {
        "generator": networks.network,
        "discriminator": networks.network,
        "encoder": networks.network,
        "extractor": networks.extractor,
        "adversarial": losses.adversarial,
        "loss": losses.loss,
        "regularizer": losses.regularizer,
        "prior": _prior,
        "op": _op,
        "data": data.data,
        "augment": _augment,
        "optimizer": _optimizer,
        "schedule": _schedule,
        "metric": data.metric,
        "phases": _phases,
    }.get(entry.kind)
    if entry.facts.get("reads") == "captions":
        check = networks.captions
    if check is not None:
        check(entry, factory, args)


def _documented(entry: Entry, factory: Callable[..., Any]) -> None:
    doc = inspect.getdoc(factory) or ""
    assert doc, f"{entry.id} has no docstring"
    assert any(word in doc for word in ("Paper:", "Source:")), f"{entry.id}: the docstring names no Paper: or Source:"
    source = entry.source()
    assert source.line > 0, f"{entry.id}: its source line cannot be found ({source.file})"


def _defaults(entry: Entry, factory: Callable[..., Any]) -> None:
    for name, argument in arguments(factory).items():
        if argument.default is not EMPTY and argument.annotation is not EMPTY:
            try:
                coerce(argument.annotation, argument.default)
            except TypeError as e:
                raise AssertionError(
                    f"{entry.id}: {name} is {argument.default!r} unless it is given, but {e}"
                ) from None


def _given(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Every argument without a default is given, or made up here."""
    made_up = {"params", "steps", "optimizer"} if entry.kind in ("optimizer", "schedule") else set()
    if entry.kind in ("generator", "discriminator", "encoder", "extractor", "prior", "op"):
        made_up = set(Example().facts())
    asked = [a for a in arguments(factory).values() if a.default is EMPTY and a.name not in {*args, *made_up}]
    example = f"conforms({entry.id!r}, {', '.join(f'{a.name}=…' for a in asked)})"
    assert not asked, f"{entry.id} needs '{listed(map(str, asked))}', which is not made up here: {example}"


def _prior(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Right batch, reproducible, and the same for any number of processes."""
    prior = build(factory, Example(), args)
    with drawing():
        whole = prior(n=8)
    assert len(whole) == 8, f"{entry.id} gives {len(whole)} rows for n=8"
    with drawing():
        assert torch.equal(whole, prior(n=8)), f"{entry.id} is not deterministic under its seed"
    parts = []
    for index in range(2):
        with drawing(share=(index, 2)):
            parts.append(prior(n=4))
    assert torch.equal(whole, torch.cat(parts)), (
        f"{entry.id} gives two processes other rows than one (use ganzoo.parallel.draw)"
    )
    with drawing():
        first_draw, second_draw = prior(n=64), prior(n=64)
    assert not torch.equal(first_draw, second_draw), f"{entry.id} gives the same rows twice in one turn"


def _op(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Finite on images, on points, or on both; what it refuses it refuses naming sizes."""
    accepted, refused = 0, ""
    for example in (Example(), Example(points=True)):
        if lacks(factory, example):
            continue
        try:
            op = build(factory, example, args)
        except ValueError as error:  # it is not for points, or not for images
            refused = str(error)
            continue
        given = example.inputs(seeded())
        starred = any(p.kind is p.VAR_POSITIONAL for p in parameters_of(op).values())
        with failing(entry, example), drawing():
            try:
                output = op(given["x"], given["x"]) if starred else op(**arrange(op, given))
            except (ValueError, EinopsError) as error:  # einops names the shape that it was given
                refused = refusal(entry, example, error)
                continue
            finite(output, entry.id)
        accepted += 1
    assert accepted, f"{entry.id} accepts no example at all: {refused}"


def _augment(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Shape kept, differentiable, reproducible, the same for any number of processes, and it does something."""
    augment = factory(**args)
    for example in EXAMPLES:
        if example.points:
            continue
        x = example.inputs(seeded())["x"].requires_grad_()
        with drawing():
            y = augment(x)
        assert y.shape == x.shape, f"{entry.id} gives {tuple(y.shape)} at {example}"
        assert not torch.equal(x, y), f"{entry.id} changes nothing at {example}"
        y.sum().backward()
        assert x.grad is not None, f"{entry.id} lets no gradient through"
        assert torch.isfinite(x.grad).all(), f"{entry.id}: its gradient is not finite"
        halves = []
        for index in range(2):
            with drawing(share=(index, 2)):
                halves.append(augment(x[2 * index : 2 * index + 2]))
        assert torch.allclose(y, torch.cat(halves)), f"{entry.id} gives two processes other draws than one"
    if hasattr(augment, "attach"):
        losses.attach(entry, augment)


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
    if hasattr(schedule, "see"):
        twin: Any = factory(**given)
        for value in (3.0, 2.0, *[5.0] * 30, math.nan):
            schedule.see(value)
        twin.load_state_dict(schedule.state_dict())
        for made in (schedule, twin):
            made.see(4.0)
        assert (schedule(1), schedule.state_dict()) == (twin(1), twin.state_dict()), (
            f"{entry.id} does not go on exactly"
        )


def _phases(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    made = factory(**args)
    assert isinstance(made, Mapping) and made, f"{entry.id} gives no phases"
    for name, phase in made.items():
        assert str(name).isidentifier(), f"{entry.id}: '{name}' is no name"
        steps = phase.get("steps") if isinstance(phase, Mapping) else None
        assert isinstance(steps, int) and steps > 0, f"{entry.id}: phase {name} has no steps"
