"""``zoo:NAME``: trained models that plugins bring are found, listed, and near names are told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli.app import app
from ganzoo.errors import UserError
from ganzoo.registry import Plugin, Zoo, plugins
from ganzoo.store import names

DCGAN = "dcgan/fashion_mnist_sample"


@pytest.fixture
def registry():
    return plugins.discover()


def test_a_plugin_brings_trained_models(registry, tmp_path: Path) -> None:
    shutil.copytree(names.find(DCGAN, registry), tmp_path / "acme" / "clothes")
    zoo = Zoo(Plugin("acme", "ganzoo-acme", "1.0"))
    zoo.trained(tmp_path)
    registry.commit(Plugin("acme", "ganzoo-acme", "1.0"), None, zoo)
    assert names.resolve("zoo:acme/clothes", registry) == tmp_path / "acme" / "clothes"
    assert {dist for name, _, (_, dist, _) in names.trained(registry) if name == "acme/clothes"} == {"ganzoo-acme"}
    shutil.copytree(tmp_path / "acme" / "clothes", tmp_path / DCGAN)
    with pytest.raises(UserError, match="two plugins have a trained model"):
        names.find(DCGAN, registry)
    with pytest.raises(ValueError, match="there is no folder of models"):
        zoo.trained(tmp_path / "nowhere")


def test_unknown_names_tell_what_is_near(registry) -> None:
    for wrong, said in {
        "zoo:dcgan/fashion_minst_sample": f"did you mean '{DCGAN}'",
        "zoo:dcgan": f"'{DCGAN}'|there are .*{DCGAN}",
        "zoo:dcgan/dcgan": "ganzoo train dcgan/dcgan",
        "zoo:nothing/like_it": "ganzoo list zoo:",
        "zoo:": "ganzoo list zoo:",
        "zoo:../files": "there is no trained model",
    }.items():
        with pytest.raises(UserError, match=said):
            names.resolve(wrong, registry)


def test_every_command_takes_the_name(tmp_path: Path) -> None:
    invoke, out = CliRunner().invoke, str(tmp_path / "a.npy")
    assert invoke(app, ["sample", f"zoo:{DCGAN}", "-n", "2", "--out", out]).exit_code == 0
    assert invoke(app, ["compute", f"zoo:{DCGAN}", "fake", "--out", out]).exit_code == 0
    done = invoke(app, ["evaluate", f"zoo:{DCGAN}", "--metrics", "class_coverage", "-n", "20"])
    assert done.exit_code == 0, done.output
    assert "class_coverage" in done.stdout
    assert isinstance(invoke(app, ["sample", "zoo:nothing/at_all"]).exception, UserError)
    assert ganzoo.load(DCGAN, {"parts.G.init": f"zoo:{DCGAN}", "parts.D.init": f"zoo:{DCGAN}:G"}).check() == []


def test_the_list_has_the_measured_numbers() -> None:
    done = CliRunner().invoke(app, ["list", "zoo:"])
    line = next(line for line in done.stdout.splitlines() if line.startswith(f"zoo:{DCGAN} "))
    assert "MB" in line
    assert "fid 9.3" in line
    rows = json.loads(CliRunner().invoke(app, ["list", "zoo:dcgan", "--json"]).stdout)
    assert [row["name"] for row in rows] == [f"zoo:{DCGAN}"]
    assert rows[0]["records"][0]["protocol"]["n_fake"] == 10000
    assert isinstance(CliRunner().invoke(app, ["list", "zoo:nothing"]).exception, UserError)


def test_the_list_leaves_torch_out() -> None:
    code = """
import sys
from typer.testing import CliRunner
from ganzoo.cli.app import app
assert CliRunner().invoke(app, ["list", "zoo:"]).exit_code == 0
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
