"""The generator of the LSGAN paper."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("lsgan", "ganzoo_lsgan.nets:Generator")
