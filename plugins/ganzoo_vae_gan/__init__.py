"""Autoencoding beyond pixels: a variational autoencoder whose reconstructions a discriminator's layer compares."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("vae_gan", "ganzoo_vae_gan.encoder:Encoder")
    zoo.generator("vae_gan", "ganzoo_vae_gan.decoder:Decoder")
    zoo.discriminator("vae_gan", "ganzoo_vae_gan.discriminator:Discriminator")
    zoo.adversarial("balanced", "ganzoo_vae_gan.balance:Balanced")
    zoo.loss("normal_likelihood", "ganzoo_vae_gan.likelihood:NormalLikelihood")
    zoo.op("attribute", "ganzoo_vae_gan.attribute:Attribute")
