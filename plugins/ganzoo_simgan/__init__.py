"""SimGAN: synthetic images refined towards real ones, and clothes drawn by rules to be refined."""

from ganzoo_data.credits import CLOTHES

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("simgan", "ganzoo_simgan.networks:Refiner")
    zoo.discriminator("simgan", "ganzoo_simgan.networks:Discriminator")
    zoo.op("history_half", "ganzoo_simgan.history:HalfHistory")
    fields = ["real_a", "label_a", "real_b", "label_b"]
    zoo.data("drawn_clothes", "ganzoo_simgan.data:DrawnClothes", fields=fields, bundled=True, **CLOTHES)
