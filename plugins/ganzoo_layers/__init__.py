"""Small pieces that the zoo's networks share. No plugin of its own: it registers nothing."""

from ganzoo_layers.attention import SelfAttention
from ganzoo_layers.autoencoder import Reconstructed
from ganzoo_layers.blocks import (
    Activation,
    DiscriminatorOutput,
    Initialisation,
    Maxout,
    Norm,
    activation,
    initialise,
    norm,
    to_range,
)
from ganzoo_layers.conditional import (
    ClassNorm,
    Projection,
    VectorNorm,
    agree,
    class_norm,
    discriminator_output,
    in_turn,
    through,
)
from ganzoo_layers.labels import one_hot
from ganzoo_layers.sizes import at_least, doubling_path, halvings, images_only, multiples, of_size, quartered

__all__ = [
    "Activation",
    "ClassNorm",
    "DiscriminatorOutput",
    "Initialisation",
    "Maxout",
    "Norm",
    "Projection",
    "Reconstructed",
    "SelfAttention",
    "VectorNorm",
    "activation",
    "agree",
    "at_least",
    "class_norm",
    "discriminator_output",
    "doubling_path",
    "halvings",
    "images_only",
    "in_turn",
    "initialise",
    "multiples",
    "norm",
    "of_size",
    "one_hot",
    "quartered",
    "through",
    "to_range",
]
