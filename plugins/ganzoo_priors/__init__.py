"""Priors: where latents and codes are drawn from."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.prior("normal", "ganzoo_priors.priors:Normal")
    zoo.prior("uniform", "ganzoo_priors.priors:Uniform")
    zoo.prior("categorical", "ganzoo_priors.priors:Categorical")
