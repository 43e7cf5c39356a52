"""Every registered component gets a page that says what its code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ganzoo import api
from ganzoo.config import schema
from ganzoo.model.factory import arguments
from ganzoo.pages import component, docstring, settings, site
from ganzoo.registry import KINDS, Registry
from ganzoo.reproduction import zoo

ROOT = Path(__file__).parents[2]
MODELS = ("dcgan/fashion_mnist_sample", "wgan_gp/ring", "cyclegan/cyclegan")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return api.registry(None)


@pytest.fixture(scope="module")
def pages(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("components")
    found = {name: zoo.spec(name, registry) for name in MODELS}
    site.components(folder, registry, found, {"dcgan": "../../zoo.md#dcgan"})
    return folder


def test_every_component_has_a_page_with_its_arguments(registry: Registry, pages: Path) -> None:
    assert set(component.KINDS) == set(KINDS)
    for entry in registry:
        text = (pages / entry.kind / f"{entry.name}.md").read_text(encoding="utf-8")
        assert f"\n# {entry.id}\n" in text
        rows = text.partition("## Arguments")[2].partition("\n## ")[0]
        for name in arguments(entry.load()):
            assert f"| `{name}` |" in rows, f"{entry.id}: {name}"
        assert "## Example" in text and "## Source" in text, entry.id
        listed = (pages / entry.kind / "index.md").read_text(encoding="utf-8")
        assert f"[`{entry.id}`]({entry.name}.md)" in listed


def test_our_own_components_say_what_they_are_where_they_come_from_and_what_arguments_mean(registry: Registry) -> None:
    for entry in registry:
        factory = entry.load()
        if factory.__module__.split(".")[0] == "torch":
            continue
        doc = docstring.read(factory)
        assert doc.summary, entry.id
        assert doc.origin, f"{entry.id} has neither paper nor source"


def test_a_page_says_formula_paper_example_and_users(pages: Path) -> None:
    text = (pages / "regularizer" / "gradient_penalty.md").read_text(encoding="utf-8")
    assert "\\[\\mathbb{E}[(\\|\\nabla \\,D(x)\\|_{2}-\\mathrm{target})^{2}]" in text
    assert "[arXiv:1704.00028](https://arxiv.org/abs/1704.00028)" in text
    assert "gp: regularizer.gradient_penalty" in text and "10 * gp(D, real, fake)" in text.replace("0.1", "10")
    assert "`wgan_gp/ring`" in text.partition("## Models that use it")[2]
    text = (pages / "generator" / "dcgan.md").read_text(encoding="utf-8")
    assert "[`dcgan/fashion_mnist_sample`](../../zoo.md#dcgan)" in text
    assert re.search(r"\| `z_dim` \| .* Read from the model if not given. \|", text)
    assert "class Generator(nn.Module)" in text


def test_examples_are_parts_of_model_files(registry: Registry, pages: Path) -> None:
    for entry in registry:
        text = (pages / entry.kind / f"{entry.name}.md").read_text(encoding="utf-8")
        example = text.partition("## Example")[2].partition("\n## ")[0]
        blocks = re.findall(r"```yaml\n(.+?)\n```", example, re.DOTALL)
        assert blocks, entry.id
        held = yaml.safe_load(blocks[0])
        assert set(held) <= set(schema.TOP) or len(blocks) == 1, f"{entry.id}: {blocks[0]}"


def test_the_reference_has_every_key_of_the_schema_with_a_meaning() -> None:
    text = settings.page((ROOT / "docs" / "configs.md").read_text(encoding="utf-8"))
    for path, cls in settings.WHERE.items():
        rows = text.partition(f"\n## {path}\n")[2].partition("\n## ")[0]
        for key in cls.__dataclass_fields__:
            assert f"| `{key}` |" in rows, f"{path}.{key}"
            assert not re.search(rf"^\| `{key}` .*\|\s*\|$", rows, re.MULTILINE), f"{path}.{key} has no meaning"
    for key in schema.TOP:
        assert re.search(rf"^\| `{key}` \| \S", text, re.MULTILINE), key
