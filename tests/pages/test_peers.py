"""What docs/peers.md says to write can be written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganzoo import api
from ganzoo.errors import Problem
from ganzoo.model import factory

PAGE = (Path(__file__).parents[2] / "docs" / "peers.md").read_text(encoding="utf-8")
SECTIONS = {
    section.split("\n", 1)[0]: section for section in PAGE.split("\n## ")[1:] if "The overrides are for" in section
}


def overrides(section: str) -> list[list[str]]:
    """What stands in code on the right and assigns something, without what the text gives to another model."""
    found = []
    for row in re.findall(r"^\| .* \| (.*) \|$", section, flags=re.MULTILINE):
        for code, note in re.findall(r"`([^`]+)`(?: \((of `[^`]+`)[,)])?", row):
            if re.match(r"[\w.]+=", code) and not note and not re.search(r"root=|init=", code):
                found.append(shlex.split(code))
    return found


@pytest.mark.parametrize("name", SECTIONS)
def test_overrides_of_a_section_can_be_written(name: str) -> None:
    section = " ".join(SECTIONS[name].split())
    model = re.search(r"overrides are for `([^`]+)`", section)
    rows = overrides(SECTIONS[name])
    assert model and len(rows) > 8
    for words in rows:
        problems: list[Problem] = []
        for component in api.Model(model[1], words).spec.components():
            factory.check(component, problems)
        assert not problems, words


def test_what_is_said_more_than_once_also_has_shapes_and_gradients() -> None:
    rows = {tuple(words) for name in SECTIONS for words in overrides(SECTIONS[name]) if "mmagic" in name}
    for words in rows | {("parts.G={use: generator.resnet, base: 7}", "parts.D=discriminator.resnet")}:
        small = [] if words[0].startswith("parts.G=") else ["parts.G.width=8", "parts.D.width=8"]
        assert api.Model("dcgan/fashion_mnist_sample", [*small, *words]).check() == [], words


def test_overrides_of_the_papers_own_settings_name_what_is_there() -> None:
    elsewhere = re.findall(r"`([^`]+)` \(of `([^`]+)`[,)]", PAGE)
    assert len(elsewhere) >= 3
    for code, name in elsewhere:
        api.Model(name, [*shlex.split(code), "data.root=nowhere"])
