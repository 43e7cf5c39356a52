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
from ganzoo_layers.conditional import ClassNorm, Projection, agree, class_norm, in_turn, through, verdict
from ganzoo_layers.labels import one_hot
from ganzoo_layers.sizes import at_least, doubling_path, halvings, multiples, of_size

__all__ = [
    "Activation",
    "ClassNorm",
    "Initialisation",
    "Maxout",
    "Norm",
    "Projection",
    "Verdict",
    "activation",
    "agree",
    "at_least",
    "class_norm",
    "doubling_path",
    "halvings",
    "in_turn",
    "initialise",
    "multiples",
    "norm",
    "of_size",
    "one_hot",
    "through",
    "to_range",
    "verdict",
]
