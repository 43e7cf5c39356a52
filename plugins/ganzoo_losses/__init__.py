"""Losses: one number from what a model computes."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.loss("l1", "ganzoo_losses.losses:L1")
    zoo.loss("mse", "ganzoo_losses.losses:MeanSquaredError")
    zoo.loss("bce", "ganzoo_losses.losses:BinaryCrossEntropy")
    zoo.loss("cross_entropy", "ganzoo_losses.losses:CrossEntropy")
    zoo.loss("feature_matching", "ganzoo_losses.losses:FeatureMatching")
    zoo.loss("categorical_information", "ganzoo_losses.information:CategoricalInformation")
    zoo.loss("gaussian_information", "ganzoo_losses.information:GaussianInformation")
    zoo.loss("kl_normal", "ganzoo_losses.losses:KLNormal")
    zoo.loss("contrastive", "ganzoo_losses.contrastive:Contrastive")
    zoo.loss("lecam", "ganzoo_losses.losses:LeCam")
