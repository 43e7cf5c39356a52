"""Relations between two domains without pairs: DiscoGAN's networks, and the mixtures on which modes are followed."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("discogan", "ganzoo_discogan.generator:Generator")
    zoo.discriminator("discogan", "ganzoo_discogan.discriminator:Discriminator")
    zoo.data(
        "mixtures",
        "ganzoo_discogan.mixtures:Mixtures",
        fields=["real_a", "real_b", "label_a"],
        bundled=True,
        licence="CC0-1.0",
    )
    zoo.metric("mode_map", "ganzoo_discogan.mixtures:ModeMap")
