"""zi2zi: letters from font files, pairs that are held out, networks with the code's layers that are told a font."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_zi2zi.letters import Letters
from ganzoo_zi2zi.networks import Discriminator, Generator
from torch import nn

from ganzoo.errors import UserError
from ganzoo.model import explain
from tests.zoo import full, small, trainer


def test_letters_fill_their_images_and_differ_by_face() -> None:
    data = Letters(size=24)
    rows = data.arrays
    assert rows["real"].shape == (458, 24, 24, 1) and rows["real"].dtype == np.uint8
    ink = rows["real"] < 128
    assert ink.any((1, 2, 3)).all()
    assert not ink[:, [0, -1]].any() and not ink[:, :, [0, -1]].any()
    for letter in range(0, 26, 5):
        of_it = rows["real"][rows["letter"] == letter]
        assert len(np.unique(of_it, axis=0)) >= len(of_it) - 1  # some oblique faces share a few
        assert len(np.unique(rows["source"][rows["letter"] == letter], axis=0)) == 1
    own = rows["font"] == list(data.faces).index("DejaVuSans")
    np.testing.assert_array_equal(rows["real"][own], rows["source"][own])


def test_pairs_that_are_held_out_are_seen_apart() -> None:
    data = Letters()
    other = data.held_out()
    assert other is not None and other.held_out() is None and Letters(holdout=0).held_out() is None
    pairs, held = ({tuple(row) for row in d.pairs.tolist()} for d in (data, other))
    assert not pairs & held and len(pairs | held) == 22 * 26
    for axis in (0, 1):
        counts = np.bincount(other.pairs[:, axis])
        assert counts.min() >= 4 and counts.max() <= 6  # every face, and every letter, misses about a fifth
    assert other.arrays["real"].shape == (114, 32, 32, 1)


def test_a_folder_of_fonts(tmp_path: Path) -> None:
    faces = Letters().faces
    for name in ("cmr10", "DejaVuSans-Bold"):
        shutil.copy(faces[name], tmp_path)
    data = Letters(tmp_path, letters="AB", source="cmr10", holdout=0)
    assert data.fields["font"].classes == ("DejaVuSans-Bold", "cmr10")
    assert len(data) == 4
    np.testing.assert_array_equal(data.arrays["real"][2:], data.arrays["source"][2:])
    with pytest.raises(UserError, match=r"no font 'cmr1' .*cmr10"):
        Letters(tmp_path, source="cmr1").load()
    with pytest.raises(UserError, match=r"no fonts under .* that have all of '山'"):
        Letters(tmp_path, letters="山").load()
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(UserError, match=r"broken.ttf is no font that can be read"):
        Letters(tmp_path).load()


def test_the_codes_layers() -> None:
    parts = full("zi2zi/zi2zi").blueprint.parts
    widths = [64, 128, 256, 512, 512, 512, 512, 512]
    halving = sum(25 * a * b + b + 2 * b * (i > 0) for i, (a, b) in enumerate(zip([1, *widths], widths, strict=False)))
    inputs, outputs = [512 + 128, *(2 * w for w in widths[-2::-1])], [*widths[-2::-1], 1]
    doubling = sum(25 * a * b + 3 * b for a, b in zip(inputs, outputs, strict=True)) - 2
    assert explain.count(parts["G"]) == halving + doubling
    assert [m.stride[0] for m in parts["D"].body if isinstance(m, nn.Conv2d)] == [2, 2, 2, 1]
    assert explain.count(parts["K"]) == 22 * (512 * 32 * 32 + 1)


def test_the_font_is_told_by_a_vector_that_stays() -> None:
    torch.manual_seed(0)
    network = Generator(1, (16, 16), 1, num_classes=4, width=4, spread=1.0, dropout=0).eval()
    x, label = torch.randn(3, 1, 16, 16), torch.tensor([0, 1, 3])
    made = network(x, label)
    assert made.code.shape == (3, 16, 2, 2)
    torch.testing.assert_close(made.code, network.encode(x))
    assert (network(x, label.flip(0)).image[[0, 2]] != made.image[[0, 2]]).any()
    assert torch.equal(network(x, label.flip(0)).image[1], made.image[1])
    assert "fonts" in network.state_dict() and not network.fonts.requires_grad
    with pytest.raises(ValueError, match="24x16 cannot be halved 4 times; 16x16 or 32x16"):
        Generator(1, (24, 16), 1, downs=4)
    with pytest.raises(ValueError, match="always be called alike"):
        Discriminator(1, (16, 16), 1, width=2)(x)


def test_who_reads_does_not_teach() -> None:
    """The classifier that measures plays alone, and no term of another player asks it."""
    model = small("zi2zi/letters")
    players = next(iter(model.spec.phases.values())).players
    terms = {player: [t.text for t in p.terms.values()] for player, p in players.items()}
    assert [player for player, texts in terms.items() if any("C(" in t for t in texts)] == ["C"]
    tr = trainer(model)
    tr.advance()
    assert tr.finite()
