"""What commands write into files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo.errors import UserError
from ganzoo.run import inputs


def test_a_folder_that_vanishes_while_pictures_are_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = inputs.save

    def saved(shown: Any, out: Path) -> Path:
        if out.stem == "d":
            shutil.rmtree(out.parent)
        return save(shown, out)

    images = torch.zeros(4, 3, 2, 2)
    assert len(inputs.write(images, tmp_path / "whole", {}, (-1.0, 1.0), list("abcd"))) == 4
    monkeypatch.setattr(inputs, "save", saved)
    with pytest.raises(UserError, match=r"3 of 4 files in .* are gone again"):
        inputs.write(images, tmp_path / "files", {}, (-1.0, 1.0), list("abcd"))
