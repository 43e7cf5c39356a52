"""Feature extractors with fixed weights, and the networks that become ones."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("cnn", "ganzoo_extractors.cnn:Cnn")
    zoo.extractor("fashion_cnn", "ganzoo_extractors.fashion:FashionCnn")
