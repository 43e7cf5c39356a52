"""RGAN and RCGAN: time series by recurrent networks."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.data("sines", "ganzoo_rgan.sines:Sines", fields=["real", "label"], bundled=True, licence="CC0-1.0")
    zoo.generator("rgan", "ganzoo_rgan.networks:Generator")
    zoo.discriminator("rgan", "ganzoo_rgan.networks:Discriminator")
