"""CTGAN: tables of numbers and categories."""

from ganzoo_data.credits import PENGUINS

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.data("table", "ganzoo_ctgan.data:Table", fields=["real", "cond"])
    zoo.data("penguins", "ganzoo_ctgan.data:Penguins", fields=["real", "cond"], bundled=True, **PENGUINS)
    zoo.generator("ctgan", "ganzoo_ctgan.networks:Generator")
    zoo.discriminator("ctgan", "ganzoo_ctgan.networks:Discriminator")
    zoo.loss("chosen", "ganzoo_ctgan.chosen:Chosen")
    zoo.metric("table_tstr", "ganzoo_ctgan.measures:TableTstr")
    zoo.metric("marginals", "ganzoo_ctgan.measures:Marginals")
