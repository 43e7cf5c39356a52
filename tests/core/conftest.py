"""Fixtures of the core's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganzoo.registry import Registry
from tests.core.graphs import Model, components
from tests.core.helpers import Site
from tests.core.models import Models


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site; our own zoo stays out through ``GANZOO_DISABLE``."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("GANZOO_DISABLE", "ganzoo")
    monkeypatch.delenv("GANZOO_PLUGINS", raising=False)
    monkeypatch.delenv("GANZOO_STRICT", raising=False)
    made = Site(folder)
    before = set(sys.modules)
    yield made
    for name in set(sys.modules) - before:
        if name.split(".")[0] in made.modules:
            del sys.modules[name]


@pytest.fixture(scope="package")
def graph_registry() -> Registry:
    """Components that do nothing, and data of known and of unknown fields."""
    return components()


@pytest.fixture
def model(tmp_path: Path, graph_registry: Registry) -> Model:
    return Model(tmp_path, graph_registry)


@pytest.fixture
def models(tmp_path: Path) -> Models:
    folder = tmp_path / "models"
    folder.mkdir()
    return Models(folder)
