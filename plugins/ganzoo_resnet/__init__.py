"""Residual networks as WGAN-GP and SNGAN use them."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("resnet", "ganzoo_resnet.generator:Generator")
    zoo.discriminator("resnet", "ganzoo_resnet.discriminator:Discriminator")
