"""Priors: where latents and codes are drawn from."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.prior("normal", "ganzoo_priors.priors:Normal")
    zoo.prior("uniform", "ganzoo_priors.priors:Uniform")
    zoo.prior("truncated_normal", "ganzoo_priors.priors:TruncatedNormal")
    zoo.prior("categorical", "ganzoo_priors.priors:Categorical")
