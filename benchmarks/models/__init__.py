"""Models that are measured, and how they are loaded."""

from __future__ import annotations

from pathlib import Path

import torch

from ganzoo import api
from ganzoo.train.loop import Trainer

HERE = Path(__file__).parent


def trainer(model: str, *overrides: str, code: str | None = None, device: str | torch.device = "cpu") -> Trainer:
    """A trainer for a model of this folder, or of the zoo if the name has a slash."""
    path = model if "/" in model else HERE / f"{model}.yaml"
    stated = [f"train.device={device}", *overrides]
    loaded = api.load(path, stated, HERE / code if code else None)
    return Trainer(loaded.blueprint, torch.device(device))
