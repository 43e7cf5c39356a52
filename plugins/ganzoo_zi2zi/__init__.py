"""zi2zi: letters of one font in the style of others, and letters rendered from folders of fonts."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.data("letters", "ganzoo_zi2zi.letters:Letters", fields=["real", "source", "letter", "font"], bundled=True)
    zoo.generator("zi2zi", "ganzoo_zi2zi.networks:Generator")
    zoo.discriminator("zi2zi", "ganzoo_zi2zi.networks:Discriminator")
