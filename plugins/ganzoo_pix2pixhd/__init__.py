"""pix2pixHD: a global generator, a local enhancer around it, patches whose features are matched, instances."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("pix2pixhd", "ganzoo_pix2pixhd.generators:GlobalGenerator")
    zoo.generator("pix2pixhd_local", "ganzoo_pix2pixhd.generators:LocalEnhancer")
    zoo.encoder("pix2pixhd", "ganzoo_pix2pixhd.instances:InstanceEncoder")
    zoo.discriminator("pix2pixhd", "ganzoo_pix2pixhd.discriminator:Discriminator")
    zoo.op("instance_edges", "ganzoo_pix2pixhd.instances:InstanceEdges")
    zoo.op("halve", "ganzoo_pix2pixhd.instances:Halve")
