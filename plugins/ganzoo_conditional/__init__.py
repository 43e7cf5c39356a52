"""Networks of the first conditional GANs: the maxout networks of CGAN, and those of AC-GAN."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("cgan", "ganzoo_conditional.cgan:Generator")
    zoo.discriminator("cgan", "ganzoo_conditional.cgan:Discriminator")
    zoo.generator("acgan", "ganzoo_conditional.acgan:Generator")
    zoo.discriminator("acgan", "ganzoo_conditional.acgan:Discriminator")
    zoo.encoder("class_head", "ganzoo_conditional.heads:ClassHead")
