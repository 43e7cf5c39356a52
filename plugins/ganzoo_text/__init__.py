"""Captions: encoders that make embeddings of them, folders of captioned images, and a ranker of images and captions."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("minilm", "ganzoo_text.minilm:MiniLM", reads="captions")
    zoo.encoder("ngrams", "ganzoo_text.ngrams:NGrams", reads="captions")
    zoo.encoder("two_towers", "ganzoo_text.towers:TwoTowers")
    zoo.extractor("openmoji_ranker", "ganzoo_text.ranker:OpenMojiRanker")
    zoo.data("captions", "ganzoo_text.captions:Captions", fields=["real", "text"])
