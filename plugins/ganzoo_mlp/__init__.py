"""Multilayer perceptrons, for points and for images taken as vectors."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("mlp", "ganzoo_mlp.nets:Generator")
    zoo.discriminator("mlp", "ganzoo_mlp.nets:Discriminator")
