"""How messages name what there is."""

from __future__ import annotations

import pytest

from ganzoo.errors import listed


@pytest.mark.parametrize(("count", "text"), [(0, ""), (1, "0"), (3, "0, 1, 2"), (10, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9")])
def test_short_lists_are_whole(count: int, text: str) -> None:
    assert listed(map(str, range(count))) == text


def test_long_lists_end() -> None:
    assert listed(map(str, range(500))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 490 more"
