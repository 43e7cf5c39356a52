"""One generator between many domains: told the one to go to by maps beside the image."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("stargan", "ganzoo_stargan.networks:Generator")
    zoo.discriminator("stargan", "ganzoo_stargan.networks:Discriminator")
