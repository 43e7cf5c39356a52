"""More trained models for ganzoo: ``zoo:NAME``."""

from pathlib import Path

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.trained(Path(__file__).with_name("files"))
