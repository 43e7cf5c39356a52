"""Unpaired image translation: the residual generator that keeps the size of an image."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("cyclegan", "ganzoo_cyclegan.generator:Generator")
