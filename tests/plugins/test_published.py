"""Extractors whose weights others publish: found where torch keeps them, never fetched by themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from ganzoo_extractors.published import INCEPTION, MEAN, STD, VGG16, InceptionV3

from ganzoo.errors import UserError
from tests.plugins.published import ON_COLOUR, random_weights
from tests.zoo import written


@pytest.fixture(autouse=True)
def _homes(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.mark.parametrize(("use", "published"), [("inception", INCEPTION), ("vgg16", VGG16)])
def test_absent_weights_are_named_at_check_and_nothing_is_fetched(
    use: str, published: Any, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_: pytest.fail("fetched during a check"))
    model = written(tmp_path, ON_COLOUR.format(channels=3, use=f"extractor.{use}"))
    with pytest.raises(
        UserError, match=rf"parts\.E: .*no weights at .*{published.path.name}.*{published.url}.*`weights:"
    ):
        model.check()
    published.path.parent.mkdir(parents=True)
    published.path.write_bytes(b"another file")
    with pytest.raises(UserError, match="is damaged: its sha256 does not begin with"):
        written(tmp_path, ON_COLOUR.format(channels=3, use=f"extractor.{use}")).check()
    text = ON_COLOUR.format(channels=3, use=f"extractor.{use}, weights: {published.path}")
    with pytest.raises(UserError, match="no file of weights"):
        written(tmp_path, text).train(tmp_path / "run", quiet=True)


def test_fetching_checks_what_came(tmp_path, monkeypatch, capsys) -> None:
    from ganzoo_extractors import published

    def fetch(url: str, path: str, digest: str) -> None:
        assert (url, digest) == (INCEPTION.url, INCEPTION.digest)
        Path(path).write_bytes(b"the weights")

    monkeypatch.setattr(sys, "argv", ["published", "inception"])
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    published.main()
    assert capsys.readouterr().out.strip() == str(INCEPTION.path)
    INCEPTION.path.unlink()
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_: (_ for _ in ()).throw(OSError("no route")))
    with pytest.raises(SystemExit):
        published.main()
    assert "cannot be fetched: no route" in capsys.readouterr().err


def test_torchvisions_inception_is_torchvisions(tmp_path) -> None:
    """Same features and logits as torchvision's network with its own preparation, from one file; gradients arrive."""
    from torchvision.models import inception_v3

    with torch.device("meta"):
        skeleton = inception_v3(weights=None, init_weights=False)
    found = {k: torch.zeros(v.shape) if v.is_meta and v.ndim < 2 else v for k, v in random_weights(skeleton).items()}
    found |= {k: torch.full(v.shape, 1.5) for k, v in found.items() if k.endswith("bn.weight")}
    found |= {k: torch.ones(v.shape) for k, v in found.items() if k.endswith("running_var")}
    torch.save(found, tmp_path / "weights.pth")
    theirs = inception_v3(weights=None, init_weights=False, transform_input=True).eval()
    theirs.load_state_dict(found)
    images = torch.rand(2, 3, 299, 299, generator=torch.Generator().manual_seed(0)).requires_grad_()
    wanted = theirs((images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None])
    ours = InceptionV3((0.0, 1.0), weights=str(tmp_path / "weights.pth"))
    given = ours(images)
    assert given.features.shape == (2, 2048)
    assert torch.allclose(given.logits / wanted.abs().max(), wanted / wanted.abs().max(), atol=5e-5)
    assert wanted.std() > 0.1 * wanted.abs().mean()
    given.features.sum().backward()
    assert images.grad is not None and images.grad.abs().max() > 0
    assert ours(images[:, :, ::4, ::4]).features.shape == (2, 2048)
    assert len(ours.sha256) == 64 and not ours.state_dict() and not list(ours.parameters())
