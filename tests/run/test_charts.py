"""Pictures of series and of rows of numbers."""

from __future__ import annotations

import torch

from ganzoo.run.pictures import picture


def test_series_are_lines_and_rows_are_spreads_beside_those_of_the_data() -> None:
    series = picture({"fake": torch.randn(20, 30, 1)}, {}, real=torch.randn(20, 30, 1))
    alone = picture({"fake": torch.randn(20, 30, 1)}, {})
    assert series is not None and alone is not None
    assert picture({"fake": torch.randn(20, 7)}, {}, real=torch.randn(20, 7)) is not None
    points = picture({"fake": torch.randn(20, 2)}, {}, real=torch.randn(20, 30, 1))  # of another shape
    assert points is not None and points.size == (550, 550)
    assert picture({"fake": torch.randn(20, 1)}, {}) is None
