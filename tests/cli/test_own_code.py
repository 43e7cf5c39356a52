"""A plugin in one file, written with the mistakes that newcomers make: each is one message that names the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

PLUGIN = """
import ganzoo, numpy as np, torch
from ganzoo import Field
from ganzoo.data.arrays import Arrays

def as_function(x, y):
    return (x - y).abs().mean()

class Forward:
    def forward(self, x, y):
        return (x - y).abs().mean()

class Item:
    def __call__(self, x, y):
        return (x - y).abs().mean().item()

class WithNumpy:
    def __call__(self, x, y):
        return (x - torch.from_numpy(y.detach().numpy())).abs().mean()

class Points(Arrays):
    range = (-1.0, 1.0)
    fields = {"points": Field("vector", (2,))}
    def load(self):
        return {"points": np.zeros((9, 2), np.float32)}

@ganzoo.hookimpl
def register(zoo):
    zoo.loss("as_function", as_function)
    zoo.loss("forward", Forward)
    zoo.loss("item", Item)
    zoo.loss("with_numpy", WithNumpy)
    zoo.data("points", Points, fields=["real"])
"""


def check(ganzoo, *overrides: str):
    Path("mine.py").write_text(PLUGIN)
    return ganzoo("check", "gan/circle", *overrides, "--code", "mine.py")


def with_loss(ganzoo, name: str):
    return check(ganzoo, f"parts.near=loss.{name}", "players.G.minimize.near=near(fake, real)")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("as_function", "needs 'x' (write `x: …`; what expressions give is for the __call__ of a class"),
        ("forward", "near cannot be called (its class has a forward, but is no nn.Module)"),
        ("item", "a term is one number (as a tensor, so that it has a gradient: return it without .item() or float())"),
    ],
)
def test_a_loss_that_is_no_component(ganzoo, name: str, says: str) -> None:
    result = with_loss(ganzoo, name)
    assert result.code == 2 and says in result.err


def test_numbers_that_leave_torch_are_checked_on_the_processor(ganzoo) -> None:
    result = with_loss(ganzoo, "with_numpy")
    assert result.code == 0, result.err


def test_data_that_has_other_fields_than_it_was_registered_with(ganzoo) -> None:
    said = check(ganzoo, "data=data.points").err
    assert "data: data.points is registered with the fields real, but has points (let its registration" in said
