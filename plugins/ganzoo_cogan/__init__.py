"""CoGAN: two domains whose networks share layers, and which are never shown in pairs."""

from ganzoo_data.credits import CLOTHES

import ganzoo

FIELDS = ["real_a", "label_a", "real_b", "label_b"]


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("cogan", "ganzoo_cogan.generator:Generator")
    zoo.discriminator("cogan", "ganzoo_cogan.discriminator:Discriminator")
    zoo.generator("cogan_dcgan", "ganzoo_cogan.dcgan:Generator")
    zoo.discriminator("cogan_dcgan", "ganzoo_cogan.dcgan:Discriminator")
    zoo.metric("agreement", "ganzoo_cogan.agreement:Agreement")
    zoo.op("edges", "ganzoo_cogan.edges:Edges")
    zoo.data("mnist_edges", "ganzoo_cogan.edges:MnistEdges", fields=FIELDS)
    zoo.data("fashion_edges", "ganzoo_cogan.edges:FashionEdges", fields=FIELDS, bundled=True, **CLOTHES)
