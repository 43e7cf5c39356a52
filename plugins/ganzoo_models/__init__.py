"""The zoo's models: the folder ``configs``, inside this package when installed, beside the packages in a checkout."""

from pathlib import Path

import ganzoo

HERE = Path(__file__).resolve().parent


@ganzoo.hookimpl
def register(zoo):
    inside = HERE / "configs"
    zoo.configs(inside if inside.is_dir() else HERE.parents[1] / "configs")
