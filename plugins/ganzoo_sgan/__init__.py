"""Stacked GAN: generators that invert a classifier, level by level, and the network that guesses their noise."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("sgan", "ganzoo_sgan.encoders:Classifier")
    zoo.encoder("sgan_noise", "ganzoo_sgan.encoders:NoiseHead")
    zoo.generator("sgan_features", "ganzoo_sgan.generators:FeatureGenerator")
    zoo.generator("sgan_image", "ganzoo_sgan.generators:ImageGenerator")
