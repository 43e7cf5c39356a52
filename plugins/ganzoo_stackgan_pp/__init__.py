"""StackGAN++: several sizes drawn by one generator, each judged with its caption and without."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("conditioning_glu", "ganzoo_stackgan_pp.conditioning:Conditioning")
    zoo.generator("stackgan_pp", "ganzoo_stackgan_pp.branches:Root")
    zoo.generator("stackgan_pp_refine", "ganzoo_stackgan_pp.branches:Branch")
    zoo.discriminator("stackgan_pp", "ganzoo_stackgan_pp.discriminator:Discriminator")
    zoo.loss("colour_consistency", "ganzoo_stackgan_pp.colour:ColourConsistency")
