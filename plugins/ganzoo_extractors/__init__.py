"""Feature extractors with fixed weights, and the networks that become ones."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("cnn", "ganzoo_extractors.cnn:Cnn")
    grey, colour = [(1, 28, 28), (1, 32, 32)], [(3, None, None)]
    zoo.extractor("fashion_cnn", "ganzoo_extractors.fashion:FashionCnn", takes=grey, default=True)
    zoo.extractor("efficientnet_lite0", "ganzoo_extractors.efficientnet:EfficientNetLite0", takes=colour, default=True)
    zoo.extractor("inception", "ganzoo_extractors.published:Inception", takes=colour)
    zoo.extractor("inception_v3", "ganzoo_extractors.published:InceptionV3", takes=colour)
    zoo.extractor("vgg19", "ganzoo_extractors.vgg19:Vgg19")
    zoo.extractor("efficientnet_maps", "ganzoo_extractors.efficientnet_maps:EfficientNetMaps")
    zoo.extractor("vgg16", "ganzoo_extractors.published:Vgg16", takes=colour)
