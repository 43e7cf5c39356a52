"""Batch norm over the rows of all processes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.parallel import distributed

KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class BatchNorm(nn.SyncBatchNorm):
    """A batch norm whose statistics in training are those of the global batch: ``B C …``.

    y = (x - m) / sqrt(v + eps) w + b,  m = mean of x and v = mean of (x - m)^2 over all processes' rows

    On CUDA it is torch's own. Elsewhere, where torch has none, it is computed from two messages of C numbers, and has
    second derivatives, too. What a process computes alone is normalised by its own rows.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or distributed.world() == 1:
            return _BatchNorm.forward(self, input)
        return super().forward(input) if input.is_cuda else self._over_all(input)

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm takes B C …, not {input.ndim} dimensions")

    def _over_all(self, input: torch.Tensor) -> torch.Tensor:
        self._check_input_dim(input)
        axes, shape = [d for d in range(input.ndim) if d != 1], (1, -1, *[1] * (input.ndim - 2))
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        mean = distributed.batch_mean(x.mean(axes)[None])
        centred = x - mean.view(shape)
        variance = distributed.batch_mean(centred.square().mean(axes)[None])
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            rate = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
            rows = x.numel() // x.shape[1] * distributed.world()
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
                self.running_var.lerp_((variance * (rows / (rows - 1))).to(self.running_var.dtype), rate)
        found = centred * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            found = found * self.weight.view(shape)
        return (found + self.bias.view(shape) if self.bias is not None else found).to(input.dtype)


def over_all_processes(module: nn.Module) -> None:
    """Let every batch norm of a network take the statistics of the global batch."""
    for norm in module.modules():
        if type(norm) in KINDS:
            norm.__class__ = BatchNorm
            setattr(norm, "process_group", None)  # noqa: B010  # the default one
