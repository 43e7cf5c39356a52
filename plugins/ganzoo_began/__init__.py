"""Boundary equilibrium GANs: an auto-encoder as discriminator, and a balance between it and the generator."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("began", "ganzoo_began.nets:Decoder")
    zoo.discriminator("began", "ganzoo_began.nets:Autoencoder")
    zoo.loss("began", "ganzoo_began.balance:Balance")
    zoo.op("between", "ganzoo_began.between:Between")
    zoo.metric("convergence", "ganzoo_began.measure:Convergence")
