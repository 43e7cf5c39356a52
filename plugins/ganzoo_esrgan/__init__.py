"""ESRGAN: residual-in-residual dense blocks, weights between two trainings, and Real-ESRGAN's degradations."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("rrdb", "ganzoo_esrgan.generator:RRDBNet")
    zoo.discriminator("esrgan", "ganzoo_esrgan.discriminator:Discriminator")
    zoo.regularizer("anchor", "ganzoo_esrgan.anchor:Anchor")
    zoo.op("degrade", "ganzoo_esrgan.degrade:Degrade")
    zoo.op("jpeg", "ganzoo_esrgan.jpeg:Jpeg")
    zoo.prior("factor", "ganzoo_esrgan.anchor:Factor")
