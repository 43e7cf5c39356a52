"""Trained models that come with ganzoo, ``zoo:NAME``: each folder has weights, numbers, and the licence of its data."""

from pathlib import Path

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.trained(Path(__file__).with_name("files"))
