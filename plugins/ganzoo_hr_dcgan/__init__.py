"""HR-DCGAN: batch norm with SELU in both networks, a level more for each doubling, and what activations are like."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("hr_dcgan", "ganzoo_hr_dcgan.networks:Generator")
    zoo.discriminator("hr_dcgan", "ganzoo_hr_dcgan.networks:Discriminator")
    zoo.regularizer("activation_moments", "ganzoo_hr_dcgan.moments:ActivationMoments")
