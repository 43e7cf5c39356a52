"""BigGAN's generator. Its discriminator is ``discriminator.resnet`` with attention."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("biggan", "ganzoo_biggan.generator:Generator")
