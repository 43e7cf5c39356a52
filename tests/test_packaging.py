"""Installed as users install it: plain and as a wheel, away from the checkout. (The tests themselves run editable.)"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "plugins.md"


class Environment:
    """A virtual environment of its own that also sees the packages of the one that runs the tests."""

    def __init__(self, folder: Path):
        self.bin = folder / "bin"
        venv.create(folder, with_pip=False)
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        (site / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(("GANZOO", "PYTEST", "PYTHON"))}
        self.variables |= {
            "PATH": f"{self.bin}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "PIP_NO_INDEX": "1",
        }

    def run(self, *words: str, cwd: Path, ok: bool = True) -> subprocess.CompletedProcess[str]:
        python = str(self.bin / "python")
        if words[0] == "python":
            words = (python, *words[1:])
        elif words[0] == "ganzoo" and not (self.bin / "ganzoo").exists():
            words = (python, "-m", *words)
        done = subprocess.run(
            words, cwd=cwd, env=self.variables, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
        )
        assert (done.returncode == 0) == ok, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def pip(self, *words: str, cwd: Path) -> None:
        pip = (sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "--disable-pip-version-check")
        self.run(*pip, *words, cwd=cwd)


def checkout(folder: Path) -> Path:
    """A copy of what git would ship, so that building leaves nothing behind here."""
    ignore = shutil.ignore_patterns("__pycache__", "runs", ".*", "dist", "build")
    for name in ("ganzoo", "plugins", "configs", "reproduce"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize("way", ["plain", "wheel"])
def test_models_and_components_are_found_in_every_kind_of_install(way: str, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env")
    source = checkout(tmp_path / "source")
    build = ("--no-deps", "--no-build-isolation", "--ignore-installed", "--quiet")
    if way == "plain":
        environment.pip("install", *build, str(source), cwd=tmp_path)
    else:
        environment.pip("wheel", *build[:2], "--quiet", "-w", str(tmp_path / "wheels"), str(source), cwd=tmp_path)
        wheel = next((tmp_path / "wheels").glob("ganzoo-*.whl"))
        environment.pip("install", *build, str(wheel), cwd=tmp_path)
    away = tmp_path / "away"
    away.mkdir()
    where = environment.run("python", "-c", "import ganzoo, ganzoo_models; print(ganzoo_models.__file__)", cwd=away)
    assert where.stdout.startswith(str(tmp_path / "env"))
    found = json.loads(environment.run("ganzoo", "list", "--json", cwd=away).stdout)
    command = [sys.executable, "-m", "ganzoo", "list", "--json"]
    here = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [m["name"] for m in found["models"]] == [m["name"] for m in here["models"]]
    assert [c["name"] for c in found["components"]] == [c["name"] for c in here["components"]]
    assert all(m["file"].startswith(str(tmp_path / "env")) for m in found["models"])
    configs = Path(where.stdout.strip()).parent / "configs"
    line = (configs / "dcgan" / "dcgan.yaml").read_text().split("\n")[1]
    named = configs / "dcgan" / line.removeprefix("# yaml-language-server: $schema=")
    assert named.read_bytes() == (ROOT / "configs" / "schema.json").read_bytes()
    claims = environment.run("ganzoo", "reproduce", "--list", cwd=away).stdout
    assert claims == subprocess.run([*command[:3], "reproduce", "--list"], capture_output=True, text=True).stdout
    assert "lucic2018/wgan_gp" in claims
    if way == "wheel":
        trained_models_are_found_in_wheels(environment, tmp_path, build)
    train = ("train.steps=1", "train.batch=8", "plugins.tensorboard=false", "--quiet", "--out", "run")
    environment.run("ganzoo", "train", "dcgan/fashion_mnist_sample", *train, cwd=away)
    assert (away / "run" / "samples" / "step_00000001.png").exists()


def trained_models_are_found_in_wheels(environment: Environment, folder: Path, build: tuple[str, ...]) -> None:
    """Those inside ganzoo's own wheel, and with `ganzoo-weights` beside it those of that one too."""
    name, away = "zoo:dcgan/fashion_mnist_sample", folder / "away"
    assert name in environment.run("ganzoo", "list", "zoo:", cwd=away).stdout
    environment.run("ganzoo", "sample", name, "-n", "4", "--out", "clothes.png", cwd=away)
    assert (away / "clothes.png").stat().st_size > 1000
    shutil.copytree(ROOT / "weights", folder / "weights")
    environment.pip("install", *build, str(folder / "weights"), cwd=folder)
    more = [path.parent for path in (ROOT / "weights").glob("*/files/*/*/config.json")]
    listed = environment.run("ganzoo", "list", "zoo:", cwd=away).stdout
    assert listed.count("[ganzoo-weights]") == len(more) > 0


def blocks(text: str) -> list[tuple[str, str, str]]:
    """The fenced blocks of a page: (file name or '', language, content)."""
    pattern = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [(name or "", language, content) for name, language, content in pattern.findall(text)]


def test_the_plugin_page_works_as_written(tmp_path: Path) -> None:
    """A third party follows docs/plugins.md to the letter; then uninstalls the plugin again."""
    environment = Environment(tmp_path / "env")
    environment.variables["PIP_NO_BUILD_ISOLATION"] = "0"  # pip reads this variable the other way round
    environment.variables["TQDM_DISABLE"] = "1"
    here = tmp_path / "work"
    here.mkdir()
    commands = 0
    for name, language, content in blocks(DOCS.read_text(encoding="utf-8")):
        if name:
            path = here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        elif language == "sh":
            for line in content.splitlines():
                words = line.split("  #")[0].split()
                if words[0] == "pip":
                    environment.pip(*words[1:], cwd=here)
                elif words[0] == "pytest":
                    environment.run("python", "-m", "pytest", "-p", "no:cacheprovider", *words[1:], cwd=here)
                else:
                    done = environment.run(*words, cwd=here)
                    if words[:2] == ["ganzoo", "list"]:
                        assert "generator.acme_sine" in done.stdout
                        assert "[ganzoo-acme]" in done.stdout
                commands += 1
    assert commands >= 8
    assert (here / "points.png").exists()
    one_more = ("ganzoo", "train", "wgan_gp/ring", "parts.G=generator.acme_sine", "train.steps=2", "train.batch=8")
    environment.run(*one_more, "--quiet", "--out", "ring", cwd=here)

    environment.pip("uninstall", "-y", "--quiet", "ganzoo-acme", cwd=here)
    for words in (("ganzoo", "sample", "runs/circle"), ("ganzoo", "train", "runs/circle/locked.yaml")):
        done = environment.run(*words, cwd=here, ok=False)
        assert done.returncode == 2
        assert "the plugin 'ganzoo-acme' is not installed" in done.stderr
        assert "pip install ganzoo-acme" in done.stderr
        assert "Traceback" not in done.stderr
    done = environment.run("ganzoo", "check", "circle.yaml", cwd=here, ok=False)
    assert "circle.yaml:4: parts.G: there is no component 'generator.acme_sine'" in done.stderr


def test_data_from_the_plugin_page(tmp_path: Path) -> None:
    """The data component of docs/plugins.md keeps a data component's promises."""
    text = next(content for name, _, content in blocks(DOCS.read_text()) if name.endswith("stripes.py"))
    from ganzoo import testing
    from ganzoo.registry import plugins

    code = tmp_path / "stripes.py"
    hook = (
        '\n\nimport ganzoo\n\n@ganzoo.hookimpl\ndef register(zoo):\n    zoo.data("stripes", Stripes, fields=["real"])\n'
    )
    code.write_text(text + hook)
    registry = plugins.discover()
    plugins.add_file(registry, code)
    testing.conforms("data.stripes", registry)


def test_new_plugin_writes_a_project_whose_tests_pass(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env")
    environment.run("ganzoo", "new", "plugin", "demo-zoo", cwd=tmp_path)
    folder = tmp_path / "ganzoo-demo-zoo"
    environment.pip("install", "--no-deps", "--no-build-isolation", "--quiet", "-e", str(folder), cwd=tmp_path)
    environment.run("python", "-m", "pytest", "-p", "no:cacheprovider", str(folder), cwd=tmp_path)
    assert "demo_zoo/circle" in environment.run("ganzoo", "list", "demo_zoo", cwd=tmp_path).stdout
    done = environment.run("ganzoo", "new", "plugin", "demo-zoo", cwd=tmp_path, ok=False)
    assert "is not empty" in done.stderr
    done = environment.run("ganzoo", "new", "plugin", "Not A Name", cwd=tmp_path, ok=False)
    assert "cannot name a plugin" in done.stderr
