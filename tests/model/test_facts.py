"""What a part, or what is put on it, asks of a data field."""

from __future__ import annotations

import pytest

import ganzoo
from ganzoo.errors import UserError

NARROW = {"parts.G.width": 4, "parts.D.width": 4, "train.batch": 4}


def test_what_is_put_on_a_part_may_ask_for_less_than_the_part() -> None:
    ganzoo.load("pix2pix/openmoji", NARROW | {"parts.G.with.sn": "regularizer.spectral_norm"}).check()


def test_a_field_that_only_what_is_put_on_a_part_asks_for() -> None:
    changes = {"parts.D.like": "real"}
    with pytest.raises(UserError, match=r"parts\.D\.like: discriminator\.patchgan asks nothing of a data field"):
        ganzoo.load("pix2pix/openmoji", NARROW | changes).check()
    ganzoo.load("pix2pix/openmoji", NARROW | changes | {"parts.D.with.aug": "augment.diffaugment"}).check()
