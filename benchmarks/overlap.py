"""Gradients sent in buckets while the backward pass runs, against one message after it.

``torchrun --standalone --nproc-per-node 2 -m benchmarks.overlap`` times forward and backward of a discriminator of four
convolutions without any message, with one message, and with buckets of several sizes, interleaved in rounds; the
gradients of all are compared bit by bit. On GPUs it measures NCCL.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from ganzoo.parallel import distributed

REPEATS = 4


class Buckets:
    """Gradients of parameters, last layers first, each bucket sent once all of its gradients are there.

    A gradient is there after a backward pass has added all that several forwards and penalties contribute. Buckets go
    in one order everywhere.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], size: float):
        self.buckets: list[list[nn.Parameter]] = [[]]
        for parameter in reversed(list(parameters)):
            if sum(p.numel() * 4 for p in self.buckets[-1]) >= size:
                self.buckets.append([])
            self.buckets[-1].append(parameter)
        of = {id(p): index for index, bucket in enumerate(self.buckets) for p in bucket}

        def ready(parameter: torch.Tensor) -> None:
            self.missing[of[id(parameter)]] -= 1
            while len(self.sent) < len(self.buckets) and not self.missing[len(self.sent)]:
                self.send()

        self.hooks = [p.register_post_accumulate_grad_hook(ready) for bucket in self.buckets for p in bucket]
        self.begin()

    def begin(self) -> None:
        self.missing = [len(bucket) for bucket in self.buckets]
        self.sent: list[tuple[list[torch.Tensor], torch.Tensor, Any]] = []

    def send(self) -> None:
        gradients = [p.grad for p in self.buckets[len(self.sent)] if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        self.sent.append((gradients, flat, dist.all_reduce(flat, async_op=True)))

    def finish(self) -> None:
        while len(self.sent) < len(self.buckets):  # parameters that no term reached have no gradient
            self.send()
        for gradients, flat, work in self.sent:
            work.wait()
            means = (flat / dist.get_world_size()).split([g.numel() for g in gradients])
            for gradient, mean in zip(gradients, means, strict=True):
                gradient.copy_(mean.view_as(gradient))
        self.begin()

    def remove(self) -> None:
        for hook in self.hooks:
            hook.remove()


def network(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((1, width, 2 * width, 4 * width), (width, 2 * width, 4 * width, 8 * width), strict=True):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32, help="of each process, 1x64x64")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--buckets", type=float, nargs="*", default=[1, 5, 25], help="MB")
    given = parser.parse_args()
    device = distributed.start("auto")
    torch.manual_seed(0)
    net = network(given.width).to(device)
    x = torch.randn(given.batch, 1, 64, 64, device=device) + distributed.rank()
    own = list(net.parameters())

    def once(way: float | None, buckets: Buckets | None) -> float:
        for parameter in own:
            parameter.grad = None
        began = time.perf_counter()
        net(x).mean().backward()
        if buckets is not None:
            buckets.finish()
        elif way:
            distributed.average_gradients(own, "D")
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    once(1.0, None)
    wanted = [p.grad.clone() for p in own if p.grad is not None]
    found: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        for name, way, size in [
            ("no message", 0, 0),
            ("one message", 1, 0),
            *((f"{b} MB", 1, b) for b in given.buckets),
        ]:
            buckets = Buckets(own, size * 2**20) if size else None
            distributed.barrier()
            once(way, buckets)
            found.setdefault(name, []).extend(once(way, buckets) for _ in range(REPEATS))
            if buckets is not None:
                buckets.remove()
            if way:
                assert all(p.grad is not None and p.grad.equal(w) for p, w in zip(own, wanted, strict=True)), name
    if distributed.rank() == 0:
        print(f"{sum(p.numel() for p in own) * 4 / 1e6:.1f} MB of gradients, batch {given.batch}, {device}")
        for name, times in found.items():
            print(
                f"{name:12} {1e3 * statistics.median(times):8.1f} ms ({1e3 * min(times):.1f} to {1e3 * max(times):.1f})"
            )
    distributed.stop()


if __name__ == "__main__":
    main()
