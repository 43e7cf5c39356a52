"""Small pieces that the zoo's networks share. No plugin of its own: it registers nothing."""

from ganzoo_layers.blocks import (
    Activation,
    Initialisation,
    Maxout,
    Norm,
    Verdict,
    activation,
    initialise,
    norm,
    to_range,
)
from ganzoo_layers.sizes import doubling_path, halvings, multiples

__all__ = [
    "Activation",
    "Initialisation",
    "Maxout",
    "Norm",
    "Verdict",
    "activation",
    "doubling_path",
    "halvings",
    "initialise",
    "multiples",
    "norm",
    "to_range",
]
