"""Bidirectional GANs: images and codes judged together, and how well codes tell classes apart."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("bigan", "ganzoo_bigan.networks:Generator")
    zoo.encoder("bigan", "ganzoo_bigan.networks:Encoder")
    zoo.discriminator("bigan", "ganzoo_bigan.networks:Discriminator")
    zoo.metric("nearest_neighbour", "ganzoo_bigan.neighbour:NearestNeighbour")
