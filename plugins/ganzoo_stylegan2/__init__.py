"""StyleGAN2: a mapping to styles, convolutions that are modulated by them, and a residual discriminator."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("stylegan2", "ganzoo_stylegan2.mapping:Mapping")
    zoo.generator("stylegan2", "ganzoo_stylegan2.generator:Generator")
    zoo.discriminator("stylegan2", "ganzoo_stylegan2.discriminator:Discriminator")
