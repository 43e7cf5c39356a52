"""LAPGAN: a pyramid of images, and the networks that add to each enlarged image what it lacks."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.op("laplacian", "ganzoo_lapgan.pyramid:Laplacian")
    zoo.generator("lapgan", "ganzoo_lapgan.nets:Generator")
    zoo.discriminator("lapgan", "ganzoo_lapgan.nets:Discriminator")
