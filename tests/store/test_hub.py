"""Models on the hub: pushed to and fetched from a small server that speaks its calls."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli.app import app
from ganzoo.errors import UserError
from tests.store.hub_server import TOKEN, serving

hub_package = pytest.importorskip("huggingface_hub")
from huggingface_hub import constants  # noqa: E402


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A published model: points on a circle."""
    folder = tmp_path_factory.mktemp("circle")
    run = ganzoo.load("gan/circle", {"train.steps": 3, "train.batch": 8, "evaluate.n": 50}).train(
        folder / "run", quiet=True
    )
    return run.save_pretrained(folder / "model")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield hub


def test_what_is_pushed_opens_elsewhere_with_equal_samples(made: Path, hub) -> None:
    done = CliRunner().invoke(app, ["push", str(made), "someone/circle", "--private"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == f"{hub.url}/someone/circle"
    assert hub.private == {"someone/circle"}
    assert {"config.json", "model.safetensors", "README.md"} <= hub.repositories["someone/circle"].keys()
    assert hub.large  # the weights went the way of large files
    found = ganzoo.open("hf:someone/circle")
    assert torch.equal(found.sample(5), ganzoo.open(made).sample(5))
    sha = hub.sha("someone/circle")
    assert torch.equal(ganzoo.open(f"hf:someone/circle@{sha}").sample(5), found.sample(5))
    again = ganzoo.load("gan/circle", {"parts.G.init": "hf:someone/circle", "train.steps": 1})
    assert again.check() == []


def test_a_run_is_published_on_its_way(made: Path, hub) -> None:
    ganzoo.open(made.parent / "run").push_to_hub("someone/other", metrics=None)
    assert "evaluations.jsonl" not in hub.repositories["someone/other"]
    assert ganzoo.open("hf:someone/other").step == 3


def test_offline_and_without_a_network_the_cache_is_used(made: Path, hub, monkeypatch) -> None:
    ganzoo.open(made).push_to_hub("someone/circle")
    ganzoo.open("hf:someone/circle")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    before = len(hub.calls)
    assert ganzoo.open("hf:someone/circle").step == 3
    assert len(hub.calls) == before
    with pytest.raises(UserError, match="hf:someone/new is not in the cache, and HF_HUB_OFFLINE is set"):
        ganzoo.open("hf:someone/new")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert ganzoo.open("hf:someone/circle").step == 3
    with pytest.raises(UserError, match="hf:someone/new is not in the cache, and the hub cannot be reached"):
        ganzoo.open("hf:someone/new")
    with pytest.raises(UserError, match="the hub cannot be reached"):
        ganzoo.open(made).push_to_hub("someone/circle")


def test_mistakes_get_one_message(made: Path, hub, monkeypatch) -> None:
    for name in ("circle", "a/b/c", "some one/circle", "../x"):
        with pytest.raises(UserError, match=r"is no name on the hub .write USER/NAME"):
            ganzoo.open(f"hf:{name}")
    with pytest.raises(UserError, match="there is no model hf:someone/nothing that you may see"):
        ganzoo.open("hf:someone/nothing")
    ganzoo.open(made).push_to_hub("someone/circle")
    with pytest.raises(UserError, match="hf:someone/circle@v9: there is no such revision"):
        ganzoo.open("hf:someone/circle@v9")
    hub.repositories["someone/else"] = {"config.json": json.dumps({"model_type": "bert"}).encode()}
    with pytest.raises(UserError, match="hf:someone/else is no model of ganzoo"):
        ganzoo.open("hf:someone/else")
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(UserError, match=r"refuses it.*hf auth login"):
        ganzoo.open(made).push_to_hub("someone/circle")


def test_without_the_package_the_extra_is_named(made: Path, monkeypatch) -> None:
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.split(".")[0] == "huggingface_hub":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    for act in (lambda: ganzoo.open("hf:someone/circle"), lambda: ganzoo.open(made).push_to_hub("someone/circle")):
        with pytest.raises(UserError, match=r"ganzoo\[hub\]"):
            act()


def test_the_card_is_what_the_hub_reads(made: Path) -> None:
    card = hub_package.ModelCard.load(made / "README.md")
    assert card.data.license == "cc0-1.0"
    assert card.data.library_name == "ganzoo"
    from ganzoo.store.published import Published

    measured = Published.at(made).values
    assert measured
    found = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert found == measured
    assert all(result.metric_args["seed"] == 0 for result in card.data.eval_results)
