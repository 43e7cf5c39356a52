"""The residual networks of arXiv:1708.05509, which drew characters of comics from attributes."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("anime", "ganzoo_anime.networks:Generator")
    zoo.discriminator("anime", "ganzoo_anime.networks:Discriminator")
