"""Images from captions: GAN-CLS, and the two stages of StackGAN."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("gan_cls", "ganzoo_stackgan.gan_cls:Generator")
    zoo.discriminator("gan_cls", "ganzoo_stackgan.gan_cls:Discriminator")
    zoo.encoder("conditioning", "ganzoo_stackgan.conditioning:Conditioning")
    zoo.generator("stackgan", "ganzoo_stackgan.stage_one:StageOne")
    zoo.generator("stackgan_refine", "ganzoo_stackgan.stage_two:StageTwo")
    zoo.discriminator("stackgan", "ganzoo_stackgan.discriminator:Discriminator")
