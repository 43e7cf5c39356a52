"""Energy-based GANs: an auto-encoder's error as energy, a margin, and codes that pull away from each other."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.discriminator("ebgan", "ganzoo_ebgan.nets:Autoencoder")
    zoo.discriminator("ebgan_mlp", "ganzoo_ebgan.nets:DenseAutoencoder")
    zoo.adversarial("energy", "ganzoo_ebgan.energy:Energy")
    zoo.loss("pulling_away", "ganzoo_ebgan.energy:PullingAway")
    zoo.op("active", "ganzoo_ebgan.energy:Active")
