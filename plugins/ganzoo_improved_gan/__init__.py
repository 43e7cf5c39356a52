"""Learning from few labels: networks whose class logits also say whether an image is real, and data with few labels."""

from ganzoo_data.credits import CLOTHES

import ganzoo

FIELDS = ["real", "few", "label"]


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("improved_gan", "ganzoo_improved_gan.networks:Generator")
    zoo.encoder("improved_gan", "ganzoo_improved_gan.networks:Classifier")
    zoo.op("any_class", "ganzoo_improved_gan.networks:AnyClass")
    zoo.data("mnist_few", "ganzoo_improved_gan.few:MnistFew", fields=FIELDS)
    zoo.data("fashion_few", "ganzoo_improved_gan.few:FashionFew", fields=FIELDS, bundled=True, **CLOTHES)
