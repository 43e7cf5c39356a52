"""Networks of introductory texts that no paper has."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("tutorial_dcgan", "ganzoo_tutorial.celeba:Generator")
    zoo.discriminator("tutorial_dcgan", "ganzoo_tutorial.celeba:Discriminator")
