"""What `train.rewrite` saves: plain and rewritten networks in turn in one process, forward and backward.

On the CPU it measures CPU time of one thread, elsewhere wall time. Ratios are taken within a round, so that other work
on the machine hits both sides; the table gives their median, smallest and largest.

    python -m benchmarks.rewrite --rounds 11 --precision fp32 bf16
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from ganzoo_dcgan.generator import Generator as Dcgan
from ganzoo_regularizers.gradients import GradientPenalty
from ganzoo_resnet.discriminator import Discriminator as ResnetD
from ganzoo_resnet.generator import Generator as ResnetG
from torch import Tensor, nn

from benchmarks import harness
from ganzoo.contract import first
from ganzoo.model.rewrite import rewritable, rewrite

Loss = Callable[[nn.Module, Tensor], Tensor]


def up() -> nn.Module:
    return nn.Upsample(scale_factor=2)


def conv(inputs: int, outputs: int, size: int = 3) -> nn.Module:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


def upsampling_dcgan() -> nn.Module:
    """A generator of upsamplings and 3x3 convolutions, 32x32 grey, in the layers and widths of a popular example."""
    layers = [nn.Linear(100, 128 * 64), nn.Unflatten(1, (128, 8, 8)), nn.BatchNorm2d(128)]
    for inputs, outputs in ((128, 128), (128, 64)):
        layers += [up(), conv(inputs, outputs), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, conv(64, 1), nn.Tanh())


def square(network: nn.Module, x: Tensor) -> Tensor:
    return first(network(x)).float().square().mean()


def penalty(network: nn.Module, x: Tensor) -> Tensor:
    return square(network, x) + GradientPenalty()(lambda y: first(network(y)).float(), x, x.flip(0))


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Loss]] = {
    "pair: conv3x3(up)": (lambda: nn.Sequential(up(), conv(64, 64)), (64, 64, 16, 16), square),
    "pair: conv1x1(up)": (lambda: nn.Sequential(up(), conv(64, 64, 1)), (64, 64, 16, 16), square),
    "pair: mean(conv3x3)": (lambda: nn.Sequential(conv(64, 64), nn.AvgPool2d(2)), (64, 64, 32, 32), square),
    "pair: mean(conv1x1)": (lambda: nn.Sequential(conv(64, 64, 1), nn.AvgPool2d(2)), (64, 64, 32, 32), square),
    "upsampling DCGAN, 32x32": (upsampling_dcgan, (64, 100), square),
    "generator.resnet, 32x32, width 64": (lambda: ResnetG(128, 3, (32, 32), width=64), (64, 128), square),
    "discriminator.resnet, 32x32, width 64": (lambda: ResnetD(3, (32, 32), width=64), (64, 3, 32, 32), square),
    "the same with a gradient penalty": (lambda: ResnetD(3, (32, 32), width=64), (64, 3, 32, 32), penalty),
    "generator.dcgan, 32x32 (no pairs)": (lambda: Dcgan(100, 3, (32, 32)), (64, 100), square),
}


def step(network: nn.Module, x: Tensor, loss: Loss, bf16: bool) -> None:
    """One forward and backward pass."""
    network.zero_grad()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16, cache_enabled=False):
        total = loss(network, x)
    total.backward()
    if x.is_cuda:
        torch.cuda.synchronize()


def rows(
    rounds: int, device: str = "cpu", precisions: Sequence[str] = ("fp32", "bf16"), only: str = ""
) -> Iterator[harness.Row]:
    clock = time.process_time if device == "cpu" else time.perf_counter
    for name, (make, shape, loss) in CASES.items():
        if only not in name:
            continue
        torch.manual_seed(0)
        plain = make().to(device)
        rewritten = copy.deepcopy(plain)
        rewrite(rewritten)
        x = torch.randn(shape, device=device)
        title = f"{name}, {len(rewritable(plain))} pairs"
        for precision in precisions:
            networks = {"plain": plain, "rewritten": rewritten}
            cases = {key: partial(step, each, x, loss, precision == "bf16") for key, each in networks.items()}
            yield harness.ratio(
                harness.interleave(cases, rounds, clock=clock), "plain", "rewritten", f"{title}, {precision}", gain=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"])
    args = parser.parse_args()
    harness.one_thread()
    harness.run({"rewrite": partial(rows, device=args.device, precisions=args.precision)}, args.rounds)


if __name__ == "__main__":
    main()
