"""R3GAN: residual networks without norms, of grouped convolutions, and images stacked into many modes."""

from ganzoo_data.credits import CLOTHES

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("r3gan", "ganzoo_r3gan.networks:Generator")
    zoo.discriminator("r3gan", "ganzoo_r3gan.networks:Discriminator")
    zoo.data("stacked_fashion", "ganzoo_r3gan.stacked:StackedFashion", fields=["real"], bundled=True, **CLOTHES)
    zoo.metric("stacked_modes", "ganzoo_r3gan.stacked:StackedModes")
