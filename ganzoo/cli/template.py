"""The files of a new plugin project."""

from __future__ import annotations

import keyword
import shutil
from pathlib import Path

from ganzoo.errors import UserError
from ganzoo.store.files import write_atomic

FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "ganzoo-{dist}"
version = "0.1.0"
description = "A ganzoo plugin."
requires-python = ">=3.11"
dependencies = ["ganzoo>=0.1"]

[project.entry-points.ganzoo]
{name} = "ganzoo_{name}"

[tool.hatch.build.targets.wheel]
packages = ["ganzoo_{name}"]
""",
    "README.md": """\
# ganzoo-{dist}

Adds `generator.{name}` and `loss.{name}` to ganzoo, and the model `{name}/circle`.

    pip install -e . --no-deps
    ganzoo train {name}/circle
    ganzoo schema --out ganzoo.schema.json    # what editors complete and check models by
    pytest
""",
    "ganzoo_{name}/__init__.py": '''\
"""What this plugin adds. Nothing is imported before it is used."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("{name}", "ganzoo_{name}.nets:Generator")
    zoo.loss("{name}", "ganzoo_{name}.losses:Huber")
    zoo.configs("ganzoo_{name}.configs")
''',
    "ganzoo_{name}/nets.py": '''\
"""The network of this plugin."""

import math

from torch import Tensor, nn

from ganzoo.bounds import PositiveInt


class Generator(nn.Module):
    """A linear map, a sine, a linear map: ``B z -> B *out_shape``.

    Paper: arXiv:2006.09661 eq. 5.

    Args:
        z_dim: Width of the latent vector; read from the first call, ``G(z)``.
        out_shape: Shape of one sample; read from the data.
        width: Width of the hidden layer.
    """

    def __init__(self, z_dim: int, out_shape: tuple[int, ...], width: PositiveInt = 64):
        super().__init__()
        self.out_shape = tuple(out_shape)
        self.inner = nn.Linear(z_dim, width)
        self.outer = nn.Linear(width, math.prod(self.out_shape))

    def forward(self, z: Tensor) -> Tensor:
        return self.outer(self.inner(z).sin()).unflatten(1, self.out_shape)
''',
    "ganzoo_{name}/losses.py": '''\
"""The loss of this plugin."""

from torch import Tensor
from torch.nn.functional import huber_loss


class Huber:
    """Squared near zero and absolute beyond `delta`, the mean over all elements.

    Source: Huber, Robust estimation of a location parameter, 1964, eq. 2.

    Args:
        delta: Where it turns from squared to absolute.
    """

    def __init__(self, delta: float = 1.0):
        self.delta = delta

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return huber_loss(x, y, delta=self.delta)
''',
    "ganzoo_{name}/configs/{name}/circle.yaml": """\
# GAN on a circle with the generator and the loss of this plugin
# yaml-language-server: $schema=../../../ganzoo.schema.json
extends: gan/circle
about:
  title: A generator and a loss from a plugin
parts:
  G: {{use: generator.{name}, width: 64}}
  near: loss.{name}
players:
  G:
    minimize:
      near: 0.01 * near(fake, real)
train: {{steps: 2000}}
""",
    "tests/test_{name}.py": '''\
"""Does the plugin keep ganzoo's promises?"""

import ganzoo
import pytest
from ganzoo import testing

DIST = "ganzoo-{dist}"


def test_is_listed():
    assert testing.components(DIST) == ["generator.{name}", "loss.{name}"]


@pytest.mark.parametrize("name", testing.components(DIST))
def test_conforms(name):
    testing.conforms(name)


def test_model_trains(tmp_path):
    run = ganzoo.load("{name}/circle", {{"train.steps": 20}}).train(tmp_path / "run", quiet=True)
    assert run.sample(5).shape == (5, 2)
''',
}


def write(name: str, out: Path | None = None) -> Path:
    """Write the project; its folder.

    Raises:
        UserError: the name is no package name, or the folder is taken or cannot be written.
    """
    package = name.removeprefix("ganzoo-").removeprefix("ganzoo_").replace("-", "_")
    if not package.isidentifier() or keyword.iskeyword(package) or package != package.lower():
        raise UserError(f"'{name}' cannot name a plugin: use lower case letters, digits and -")
    dist = package.replace("_", "-")
    folder = out or Path(f"ganzoo-{dist}")
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty; give another folder with --out")
    try:
        for path, text in FILES.items():
            write_atomic(folder / path.format(name=package), text.format(name=package, dist=dist))
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)  # it was empty, and half a project is none
        raise
    return folder
