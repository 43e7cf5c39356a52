"""Inpainting: random holes in images, the networks of context encoders, and errors inside the holes."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("context_encoder", "ganzoo_inpainting.networks:ContextEncoder")
    zoo.discriminator("context_encoder", "ganzoo_inpainting.networks:Discriminator")
    zoo.op("holes", "ganzoo_inpainting.holes:Holes")
    zoo.op("cover", "ganzoo_inpainting.holes:Cover")
    zoo.op("fill", "ganzoo_inpainting.holes:Fill")
    zoo.metric("hole_error", "ganzoo_inpainting.holes:HoleError")
