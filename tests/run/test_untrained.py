"""A model without a run, with weights from a file."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

import ganzoo
from ganzoo import api
from ganzoo.cli.app import app
from ganzoo.errors import UserError


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(5)
    state = ganzoo.load("gan/circle").blueprint.build("cpu")["G"].state_dict()
    torch.save({"state_dict": {name: torch.randn_like(value) for name, value in state.items()}}, tmp_path / "G.pth")
    return tmp_path / "G.pth"


def test_a_model_samples_with_weights_from_a_file(file) -> None:
    opened = api.opened("gan/circle", [f"parts.G.init={file}"])
    G = ganzoo.load("gan/circle").blueprint.build("cpu")["G"]
    G.load_state_dict(torch.load(file)["state_dict"])
    z = torch.randn(4, opened.blueprint.args["parts.Z"]["size"])
    assert torch.allclose(opened.compute("G(z)" if "z" in opened.spec.flow else opened.spec.sample, z=z), G.eval()(z))


def test_what_is_needed_and_was_not_initialised_is_named(file) -> None:
    with pytest.raises(UserError, match=r"G would be untrained .parts\.G\.init=FILE"):
        api.opened("gan/circle").sample(2)
    with pytest.raises(UserError, match="D would be untrained"):
        api.opened("gan/circle", [f"parts.G.init={file}"]).compute("D(fake)")


def test_on_the_command_line(file, tmp_path) -> None:
    out = str(tmp_path / "a.npy")
    run = CliRunner().invoke
    assert run(app, ["sample", "gan/circle", f"parts.G.init={file}", "-n", "3", "--out", out]).exit_code == 0
    value = ["compute", "gan/circle", "fake", f"parts.G.init={file}", "--out", out]
    assert run(app, value).exit_code == 0
    assert isinstance(run(app, ["sample", "gan/circle", "--out", out]).exception, UserError | SystemExit)
