"""Checks of networks, text encoders and extractors."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganzoo.contract import first
from ganzoo.model.factory import arguments
from ganzoo.registry import Entry
from ganzoo.testing.common import drawing, failing, finite, made, refusal, same, seeded, tensors
from ganzoo.testing.inputs import EXAMPLES, Example, arrange, build, lacks


def network(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Builds from facts at any channel count and size it accepts, trains, is deterministic, is stored and restored."""
    accepted, refused = 0, ""
    for example in EXAMPLES:
        if lacks(factory, example):
            continue
        try:
            part = made(factory, example, args)
        except ValueError as error:
            refused = refusal(entry, example, error)
            continue
        accepted += 1
        with failing(entry, example):
            _one_network(entry, factory, args, example, part)
    assert accepted, f"{entry.id} accepts no example at all: {refused}"


def _one_network(entry: Entry, factory: Any, args: Mapping[str, Any], example: Example, part: Any) -> None:
    where = f"{entry.id} at {example}"
    given = arrange(part, example.inputs(seeded()))
    part.eval()
    with drawing(), torch.no_grad():
        once = part(**given)
    twin = made(factory, example, args).eval()
    with drawing(), torch.no_grad():
        same(once, twin(**given), f"{where}: two builds from one seed differ")
    finite(once, f"{where}: its output")
    _outputs(entry, once, example, where)
    restored = made(factory, example, args, seed=4).eval()
    restored.load_state_dict(copy.deepcopy(part.state_dict()))
    with drawing(), torch.no_grad():
        same(once, restored(**given), f"{where}: a state_dict does not bring the outputs back")
    part.train()
    inputs = {k: v.requires_grad_() if isinstance(v, Tensor) and v.is_floating_point() else v for k, v in given.items()}
    with drawing():
        sum(t.square().mean() for t in tensors(part(**inputs)) if t.is_floating_point()).backward()  # type: ignore[union-attr]
    for name, parameter in part.named_parameters():
        if parameter.requires_grad and not (parameter.grad is None and getattr(part, "in_part", False)):
            assert parameter.grad is not None, f"{where}: no gradient reaches {name}"
            assert torch.isfinite(parameter.grad).all(), f"{where}: the gradient of {name} is not finite"
    for name, value in inputs.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            assert value.grad is not None, f"{where}: no gradient reaches the input {name}"
    with torch.device("meta"):
        meta = build(factory, example, args)
    shapes = [t.shape for t in tensors(meta.eval()(**arrange(meta, example.inputs(seeded(), "meta"))))]
    assert shapes == [t.shape for t in tensors(once)], f"{where}: other shapes on the meta device"


def captions(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Strings become rows of its `width`, whatever the other captions are; unlike captions, unlike rows."""
    encode = factory(**args)
    captions = ["a smiling cat", "two dogs, running in the rain", "Übergrößenträger", "a red car"]
    rows = encode(captions)
    assert rows.shape == (4, encode.width), f"{entry.id} gives {tuple(rows.shape)} for 4 captions"
    finite(rows, f"{entry.id}: its output")
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


def extractor(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Fixed, deterministic, row by row, independent of the data's range; other shapes are refused naming sizes."""
    accepted, refused = 0, ""
    for example in EXAMPLES:
        if example.points:
            continue
        try:
            part = made(factory, example, args)
            with torch.no_grad():
                output = part(example.inputs(seeded())["x"])
        except ValueError as error:
            refused = refusal(entry, example, error)
            continue
        accepted += 1
        _one_extractor(entry, factory, args, example, part, output)
    assert accepted, f"{entry.id} accepts no example at all: {refused}"


def _one_extractor(
    entry: Entry, factory: Any, args: Mapping[str, Any], example: Example, part: Any, output: Any
) -> None:
    where = f"{entry.id} at {example}"
    x = example.inputs(seeded())["x"]
    assert getattr(output, "_fields", ())[:1] == ("features",), f"{where}: returns a NamedTuple that begins `features`"
    shape = (example.batch, output.features.shape[-1])
    assert output.features.shape == shape, f"{where}: features are {tuple(output.features.shape)}, not one row a sample"
    finite(output, f"{where}: its output")
    assert re.fullmatch("[0-9a-f]{64}", getattr(part, "sha256", "")), f"{where}: has no sha256 of its weights' file"
    assert not list(part.parameters()) and not part.state_dict(), f"{where}: its weights can be trained, or are stored"
    with torch.no_grad():
        same(output, part.train()(x), f"{where}: differs in training mode")
        same(output, made(factory, example, args, seed=4)(x), f"{where}: two builds differ")
        rows = torch.cat([part(row[None]).features for row in x])
        assert torch.allclose(output.features, rows, atol=1e-4), f"{where}: the other images of a batch matter"
        other = made(factory, replace(example, range=(0.0, 255.0)), args)
        low, high = example.range or (-1.0, 1.0)
        stretched = other((x - low) * (255.0 / (high - low))).features
        assert torch.allclose(output.features, stretched, atol=1e-3), f"{where}: disregards the range of the data"
    x.requires_grad_()
    part(x).features.square().sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all(), f"{where}: no finite gradient reaches the images"
    with torch.device("meta"):
        meta = build(factory, example, args)(x.detach().to("meta"))
    assert [t.shape for t in meta] == [t.shape for t in output], f"{where}: other shapes on the meta device"
