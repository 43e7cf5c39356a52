"""AttnGAN: captions word by word, and how images match them."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.data("word_captions", "ganzoo_attngan.words:WordCaptions", fields=["real", "text", "words"])
    zoo.data("openmoji_words", "ganzoo_attngan.words:OpenMojiWords", fields=["real", "text", "words"], bundled=True)
    zoo.generator("attngan_refine", "ganzoo_attngan.attention:Branch")
    zoo.encoder("damsm", "ganzoo_attngan.damsm:Matching")
