"""The documents say what the software does."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest
import yaml

from ganzoo import api
from ganzoo.cli.app import app
from ganzoo.config import schema
from ganzoo.model import factory
from ganzoo.registry import KINDS, hookspecs, plugins
from ganzoo.testing.inputs import Example
from tests.test_packaging import blocks

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README, PLUGINS, CONFIGS, TROUBLESHOOTING = (
    ROOT / "README.md",
    *(DOCS / f"{n}.md" for n in ("plugins", "configs", "troubleshooting")),
)


def yaml_models(path: Path) -> list[str]:
    found = [text for _, language, text in blocks(path.read_text()) if language == "yaml"]
    return [text for text in found if "players:" in text and "data:" in text]


@pytest.mark.parametrize(
    "path", [README, CONFIGS, ROOT / "docs/concepts.md", ROOT / "docs/zh.md"], ids=lambda p: p.name
)
def test_models_in_the_documents_check(path: Path, tmp_path: Path) -> None:
    models = yaml_models(path)
    assert models
    for text in models:
        (tmp_path / "m.yaml").write_text(text)
        assert api.Model(tmp_path / "m.yaml").check() == []


def test_commands_in_the_documents_exist_and_their_models_check() -> None:
    known = {command.name for command in (*app.registered_commands, *app.registered_groups)}
    checked = 0
    for path in (README, *sorted({*DOCS.glob("*.md")} - {DOCS / "errors.md"})):  # those are wrong on purpose
        for _, language, text in blocks(path.read_text()):
            for line in text.splitlines() if language == "sh" else ():
                words = re.findall(r"""(?:[^\s"]|"[^"]*")+""", line.split("  #")[0])
                if words[:1] == ["ganzoo"]:
                    assert words[1] in known, line
                if words[:2] in (["ganzoo", "train"], ["ganzoo", "profile"]) and not words[2].endswith(".yaml"):
                    overrides = [w.replace('"', "") for w in words[3:] if re.match(r"[\w.]+(?<!init)=", w)]
                    api.Model(words[2], overrides).check()
                    checked += 1
    assert checked >= 4


def test_what_to_try_can_be_typed() -> None:
    found = set(re.findall(r"`([\w.]+=[^`]+)`", TROUBLESHOOTING.read_text()))
    assert len(found) > 20
    for words in found:
        assert api.Model("dcgan/fashion_mnist_sample", words.split()).check() == [], words


def test_the_readmes_commands_are_what_ci_runs() -> None:
    text = README.read_text()
    for marker in ("train", "tests"):
        command = re.search(rf"<!-- command: {marker} -->\n```sh\n(.+)\n```", text)
        assert command, f"the README has no command: {marker}"
        assert "\n" not in command[1]
    assert "<!-- command: tests -->" in (ROOT / ".ci" / "run").read_text()


def test_every_kind_hook_fact_and_parameter_name_is_documented() -> None:
    text = PLUGINS.read_text()
    for kind in KINDS:
        assert f"| `{kind}` |" in text, kind
    for hook in vars(hookspecs.RunHooks):
        if hook.startswith("on_"):
            assert f"`{hook}`" in text, hook
    for fact in factory.FACTS:
        if fact not in ("params", "optimizer"):
            assert f"`{fact}`" in text, fact
    import torch

    contract = text.split("## The names of `forward`'s parameters")[1].split("\n## ")[0]
    for name in Example().inputs(torch.Generator()):
        assert f"`{name}`" in contract, name


def test_the_table_of_hooks_has_what_each_is_given() -> None:
    text = PLUGINS.read_text()
    for name, hook in vars(hookspecs.RunHooks).items():
        if name.startswith("on_"):
            (row,) = re.findall(rf"^\| `{name}` \|.*\| (.*) \|$", text, re.M)
            given = set(inspect.signature(hook).parameters) - {"self"}
            assert given <= set(re.findall(r"`(\w+)`", row)), name


def test_dotted_names_in_the_documents_are_there() -> None:
    texts = "\n".join(path.read_text() for path in (README, ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")))
    found = set(re.findall(r"(?<![\w/.:\"-])ganzoo(?:_[a-z0-9]+)*(?:\.[A-Za-z_]\w*)+", texts))
    assert "ganzoo.parallel.draw" in found and "ganzoo.data.arrays.Arrays" in found
    gone = [name for name in sorted(found) if not name.startswith("ganzoo_acme") and not _is_there(name)]
    assert not {name for name in gone if not name.endswith((".yaml", ".json"))}


def _is_there(name: str) -> bool:
    """Whether a dotted name can be imported, its last pieces as attributes."""
    module, _, rest = name.partition(".")
    found = importlib.import_module(module)
    for piece in rest.split("."):
        module = f"{module}.{piece}"
        if not hasattr(found, piece):
            try:
                importlib.import_module(module)
            except ImportError:
                return False
        found = getattr(found, piece)
    return True


def test_every_setting_is_documented() -> None:
    text = CONFIGS.read_text()
    settings = [yaml.safe_load(t) for _, lang, t in blocks(text) if lang == "yaml"]
    train = next(block["train"] for block in settings if len(block.get("train", {})) > 3)
    assert set(train) == set(schema.Train.__dataclass_fields__)
    for key in schema.PlayerSettings.__dataclass_fields__:
        assert f"`{key}`" in text, key
    for key in schema.TOP:
        if key != "locked":
            assert f"`{key}" in text or f"\n{key}:" in text, key


def test_defaults_in_the_documents_are_the_defaults() -> None:
    text = CONFIGS.read_text()
    block = next(t for _, lang, t in blocks(text) if lang == "yaml" and "sync_batch_norm" in t)
    from dataclasses import asdict

    assert yaml.safe_load(block)["train"] == asdict(schema.Train())


def test_every_data_component_that_reads_files_is_documented() -> None:
    text = (DOCS / "data.md").read_text()
    for entry in plugins.installed():
        if {"reads", "packs"} & set(entry.facts):
            assert f"`{entry.id}`" in text, entry.id


def test_links_between_documents_lead_somewhere() -> None:
    for path in (README, *sorted(DOCS.glob("*.md"))):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_every_paper_is_in_the_readme() -> None:
    papers = {p.parent.name for p in (ROOT / "configs").glob("*/*.yaml")} - {"base", "tutorial"}
    for paper in papers:
        assert f"[`{paper}`](docs/zoo.md#{paper})" in README.read_text(), paper
