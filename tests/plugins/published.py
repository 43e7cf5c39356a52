"""For tests of extractors that others publish: a model with one, and random weights in a small file."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ON_COLOUR = """
extends: base/images.yaml
data: {{use: data.random, count: 40, fields: {{real: {{kind: image, shape: [{channels}, 32, 32]}}}}}}
parts: {{G: {{width: 4}}, D: {{width: 4}}, fid: metric.fid, E: {{use: {use}}}}}
show: []
evaluate: {{every: 2, n: 140, values: {{fid: "fid(fake, E)"}}}}
train: {{batch: 4, steps: 2}}
"""


def random_weights(network: nn.Module) -> dict[str, Tensor]:
    """Random ones that keep the size of what passes, in a small file: rows of a layer are one row in storage."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, tensor in network.state_dict().items():
        found[name] = tensor
        if tensor.ndim > 1:
            row = torch.randn(tensor[0].numel() + len(tensor), generator=generator) * (2 / tensor[0].numel()) ** 0.5
            found[name] = row.as_strided(tensor.shape, (1, *torch.empty(tensor.shape[1:]).stride()))
    return found
