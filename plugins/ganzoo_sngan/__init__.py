"""The plain convolutional networks of the SNGAN paper; its residual ones are `generator.resnet` and its partner."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("sndcgan", "ganzoo_sngan.nets:Generator")
    zoo.discriminator("sndcgan", "ganzoo_sngan.nets:Discriminator")
