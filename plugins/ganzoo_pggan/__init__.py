"""Progressive growing: networks that take in one resolution after the other, and the phases in which they do."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("pggan", "ganzoo_pggan.networks:Generator")
    zoo.discriminator("pggan", "ganzoo_pggan.networks:Discriminator")
    zoo.loss("drift", "ganzoo_pggan.growth:Drift")
    zoo.op("grow", "ganzoo_pggan.growth:Grow")
    zoo.op("fade", "ganzoo_pggan.growth:Fade")
    zoo.phases("progressive", "ganzoo_pggan.growth:progressive")
