"""The trained models that are shipped: small, complete, within a licence, and as good as their cards say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import ganzoo
from ganzoo.evaluation.records import named, short
from ganzoo.store.published import FILES, Published

ROOT = Path(__file__).resolve().parents[1]
CORE, MORE = ROOT / "plugins" / "ganzoo_trained" / "files", ROOT / "weights" / "ganzoo_weights" / "files"
SHIPPED = {
    path.parent.relative_to(folder).as_posix(): path.parent
    for folder in (CORE, MORE)
    for path in sorted(folder.glob("*/*/config.json"))
}
CHEAP = {  # one number on few samples: how many, what it was here, and how far from that it may be
    "dcgan/fashion_mnist_sample": ("class_coverage.total_variation", 300, 0.1009, 0.02),
    "cgan/fashion_mnist_sample": ("asked", 200, 0.87, 0.02),
    "infogan/fashion_mnist_sample": ("match_fake", 200, 0.66, 0.02),
    "acgan/fashion_mnist_sample": ("asked", 200, 0.92, 0.02),
    "bigan/fashion_mnist_sample": ("kept", 100, 0.62, 0.05),
    "cogan/fashion_edges": ("agreement.share", 200, 0.63, 0.03),
    "ctgan/penguins": ("marginals.numbers", 67, 0.0996, 0.01),
    "cyclegan/openmoji": ("to_line", 30, 0.0379, 0.002),
    "cut/openmoji": ("to_line", 30, 0.0695, 0.002),
    "denoising/fashion_mnist_sample": ("psnr", 50, 21.44, 0.05),
    "denoising/photos": ("psnr", 30, 31.52, 0.05),
    "discogan/mixtures": ("map.near", 500, 0.972, 0.01),
    "dragan/fashion_mnist_sample": ("coverage.total_variation", 300, 0.2714, 0.03),
    "ebgan/fashion_mnist_sample": ("coverage.total_variation", 300, 0.2059, 0.03),
    "ebgan/ring": ("modes.high_quality", 500, 0.836, 0.02),
    "esrgan/photos": ("psnr", 30, 34.68, 0.05),
    "gan/circle": ("circle.radius", 500, 1.0001, 0.005),
    "gan/fashion_mnist_sample": ("coverage.total_variation", 300, 0.301, 0.03),
    "gan3d/solids": ("solids.overlap", 50, 0.704, 0.01),
    "inpainting/openmoji": ("error.l1", 30, 0.1348, 0.005),
    "lapgan/fashion_mnist_sample": ("class_coverage.total_variation", 100, 0.242, 0.03),
    "lsgan/fashion_mnist_sample": ("coverage.total_variation", 300, 0.0975, 0.02),
    "mgan/ring": ("modes.high_quality", 500, 0.806, 0.01),
    "pix2pix/openmoji": ("error", 30, 0.114, 0.005),
    "pix2pixhd/openmoji": ("error", 30, 0.1181, 0.005),
    "rgan/classes": ("learnt.trts", 100, 0.96, 0.03),
    "sgan/fashion_mnist_sample": ("asked", 200, 0.895, 0.02),
    "simgan/drawn_clothes": ("refined.tstr", 100, 0.4475, 0.05),
    "sngan/fashion_mnist_sample": ("coverage.total_variation", 300, 0.1011, 0.02),
    "srgan/photos": ("psnr", 30, 34.40, 0.05),
    "srgan/srresnet_photos": ("psnr", 30, 35.22, 0.05),
    "stackgan/openmoji": ("caption", 100, 0.38, 0.05),
    "stackgan_pp/openmoji": ("caption", 100, 0.27, 0.05),
    "stargan/fashion_mnist_sample": ("asked", 100, 0.88, 0.03),
    "stylegan2/fashion_mnist_sample": ("class_coverage.total_variation", 100, 0.3404, 0.03),
    "vae_gan/fashion_mnist_sample": ("kept", 100, 0.80, 0.04),
    "wgan/fashion_mnist_sample": ("coverage.total_variation", 300, 0.242, 0.03),
    "wgan_gp/fashion_mnist_sample": ("coverage.total_variation", 300, 0.2592, 0.03),
    "wgan_gp/ring": ("modes.high_quality", 500, 0.94, 0.01),
    "zi2zi/letters": ("read", 100, 0.97, 0.03),
}
TOLD = {"zi2zi/letters": "Bitstream-Vera AND OFL-1.1 AND LicenseRef-BaKoMa"}  # of the fonts of matplotlib


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_they_stay_small() -> None:
    assert all(size(path) <= 8_000_000 for path in SHIPPED.values())
    assert size(CORE) <= 15_000_000
    assert size(CORE) + size(MORE) <= 40_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_each_is_complete(name: str) -> None:
    made = Published.at(SHIPPED[name])
    assert made.name == name
    assert {path.name for path in made.path.iterdir()} == set(FILES)
    assert made.header["step"] == made.header["steps"]
    assert made.header["data"]["licence"] in ("MIT", "CC-BY-SA-4.0", "CC0-1.0", TOLD.get(name))
    assert made.header["data"]["told"] is (name in TOLD)
    assert made.records
    assert {record["weights"] for record in made.records} == {made.header["weights"]["sha256"]}
    assert not re.search(r'"(/|~|[A-Z]:\\)', json.dumps(made.header)), "a place on the machine that trained it"
    assert "model-index" in (made.path / "README.md").read_text()


@pytest.mark.parametrize("name", SHIPPED)
def test_each_still_has_one_of_its_numbers(name: str) -> None:
    first = next(iter(Published.at(SHIPPED[name]).values.items()))
    key, n, value, off = CHEAP.get(name, (short(first[0]), 100, first[1], abs(first[1]) / 5))
    (record,) = ganzoo.open(SHIPPED[name]).evaluate([key.partition(".")[0]], n=n)
    assert named(key, record.values) == pytest.approx(value, abs=off)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_each_still_has_all_of_its_numbers(name: str) -> None:
    opened = ganzoo.open(SHIPPED[name])
    for record in Published.at(SHIPPED[name]).records:
        if "tstr" not in record["metric"]:  # which trains a network
            (again,) = opened.evaluate([short(record["metric"])], n=record["protocol"]["n_fake"])
            assert again.values == pytest.approx(record["values"], rel=0.02)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_pages_have_its_numbers(name: str) -> None:
    made, spec = Published.at(SHIPPED[name]), ganzoo.open(SHIPPED[name]).spec
    assert spec.sample in spec.flow
    card = ROOT / "docs" / "cards" / f"{name.partition('/')[0]}.md"
    for page in filter(Path.exists, (ROOT / "docs" / "trained.md", card)):
        (line,) = [text for text in page.read_text().splitlines() if f"`zoo:{name}`" in text]
        numbers = set(re.findall(r"\d+\.?\d*", line))
        assert any(f"{value:.4g}" in numbers for value in made.values.values()), page
