"""Convolutional networks of doublings and halvings, in all the variants that grew out of DCGAN."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("dcgan", "ganzoo_dcgan.generator:Generator")
    zoo.discriminator("dcgan", "ganzoo_dcgan.discriminator:Discriminator")
