"""Denoising: a network that predicts the noise, and the Gaussian filter that it is compared with."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("dncnn", "ganzoo_denoising.network:DnCNN")
    zoo.op("gaussian", "ganzoo_denoising.filters:Gaussian")
