"""A step of mimicry, vegans and opensr-srgan against ganzoo's of the same layers and batch, data already loaded.

A peer that is not installed is named and left out. Their own requirements do not fit today's torch, so install them
without: ``pip install --no-deps torch-mimicry vegans``; vegans also needs matplotlib. opensr-srgan brings Lightning.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import harness, models
from ganzoo.contract import first
from ganzoo.train.loop import Trainer
from ganzoo.train.precision import has_bf16

Step = Callable[[], object]


def mimicry(ours: Trainer) -> Step:
    """A turn of D, then one of G, each by its network's ``train_step``.

    The package is entered by its networks alone: what it imports first asks for scikit-image and TensorFlow.
    """
    for name in ("torch_mimicry", "torch_mimicry.training"):
        if name not in sys.modules:
            spec = importlib.util.find_spec(name)
            assert spec is not None and spec.submodule_search_locations is not None
            sys.modules[name] = module = types.ModuleType(name)
            module.__path__ = list(spec.submodule_search_locations)
    from torch_mimicry.nets.sngan.sngan_32 import SNGANDiscriminator32, SNGANGenerator32
    from torch_mimicry.training.metric_log import MetricLog

    G, D = SNGANGenerator32(ngf=WIDTH), SNGANDiscriminator32(ndf=WIDTH)
    alike({"G": G, "D": D}, ours)
    of_d, of_g = (torch.optim.Adam(network.parameters(), 2e-4, (0.0, 0.9)) for network in (D, G))
    real = ours.feed.take(ours.train.batch)[0]["real"], None

    def advance() -> None:
        D.train_step(real, netG=G, optD=of_d, log_data=MetricLog(), device="cpu")
        G.train_step(real, netD=D, optG=of_g, log_data=MetricLog(), device="cpu")

    return advance


class Judged(nn.Module):
    """A discriminator that gives probabilities, as vegans wants it."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return first(self.network(x)).sigmoid()[:, None]


def vegans(ours: Trainer) -> Step:
    """The inside of its training loop on networks that are built as ours are, but not rewritten or laid out.

    The loop itself calls ``iter(loader).next()``, which torch's loaders do not have.
    """
    from vegans.GAN import VanillaGAN

    parts = {name: ours.blueprint.make(ours.spec.parts[name]) for name in "GD"}
    alike(parts, ours)
    settings = ours.players["G"].optimizer.defaults
    adam = {"lr": settings["lr"], "betas": settings["betas"]}
    real = ours.feed.take(ours.train.batch)[0]["real"]
    gan = VanillaGAN(
        parts["G"],
        Judged(parts["D"]),
        x_dim=tuple(real.shape[1:]),
        z_dim=ours.parts["Z"].size,
        optim=torch.optim.Adam,
        optim_kwargs={"Generator": adam, "Adversary": adam},
        device="cpu",
        folder=None,
        secure=False,
    )
    gan.train()

    def advance() -> None:
        z = gan.sample(n=len(real))
        for name in gan.neural_nets:
            gan._losses = gan.calculate_losses(X_batch=real, Z_batch=z, who=name)
            gan._zero_grad(who=name)
            gan._backward(who=name)
            gan._step(who=name)

    return advance


OPENSR: dict[str, dict[str, Any]] = {
    "Data": {"normalization": "none"},
    "Model": {"in_bands": 3},
    "Generator": {"model_type": "SRResNet", "block_type": "standard", "n_channels": 64, "n_blocks": 4},
    "Discriminator": {"model_type": "standard", "n_blocks": 8, "use_spectral_norm": False},
    "Training": {
        "adv_loss_ramp_steps": 0,
        "Losses": {"adv_loss_beta": 0.001, "l1_weight": 1.0, "sam_weight": 0.0, "perceptual_weight": 0.0},
    },
    "Optimizers": {"optim_g_lr": 1e-4, "optim_d_lr": 1e-4, "betas": [0.0, 0.99]},
    "Schedulers": {},
    "Logging": {"wandb": {"enabled": False}},
}


def opensr(ours: Trainer) -> Step:
    """One batch through Lightning's trainer, which waits in a thread of its own for the next to be let go."""
    import pytorch_lightning as lightning
    from opensr_srgan.model.SRGAN import SRGAN_model

    theirs = SRGAN_model(OPENSR)
    alike({"G": theirs.generator, "D": theirs.discriminator}, ours)
    real = ours.feed.take(ours.train.batch)[0]["real"]
    pair = ours.parts["down"](real), real
    ready, go = threading.Semaphore(0), threading.Semaphore(0)

    class Batches(torch.utils.data.IterableDataset):
        def __iter__(self) -> Iterator[Any]:
            while True:
                ready.release()
                go.acquire()
                yield pair

    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=-1, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    loader = torch.utils.data.DataLoader(Batches(), batch_size=None)
    threading.Thread(target=trainer.fit, args=(theirs, loader), daemon=True).start()
    ready.acquire()  # until it asks for its first batch

    def advance() -> None:
        go.release()
        ready.acquire()

    return advance


def alike(theirs: dict[str, Any], ours: Trainer) -> None:
    """Whether both train the same numbers of parameters."""
    for name, network in theirs.items():
        counts = [sum(p.numel() for p in m.parameters()) for m in (network, ours.parts[name])]
        if counts[0] != counts[1]:
            raise ValueError(f"{name} has {counts[0]:,} parameters there and {counts[1]:,} here")


WIDTH = 32
CASES: dict[str, tuple[str, Callable[[Trainer], Step], str, str | None]] = {  # peer, its step, our model, code
    "SNGAN of residual blocks, 32x32, width 32: mimicry": ("torch_mimicry", mimicry, "sngan32", None),
    "GAN, MLP: vegans": ("vegans", vegans, "mlp_gan", None),
    "DCGAN of upsamplings, 32x32: vegans": ("vegans", vegans, "upsampling", "layers.py"),
    "SRGAN of four blocks, 96x96, batch 2: opensr-srgan": ("opensr_srgan", opensr, "srgan96", None),
}


def rows(rounds: int, *overrides: str) -> Iterator[harness.Row]:
    for name, (package, peer, model, code) in CASES.items():
        if importlib.util.find_spec(package) is None:
            print(f"{name}: {package} is not installed", file=sys.stderr)
            continue
        title, what = name.split(": ")
        ours = models.trainer(model, "train.precision=fp32", *overrides, code=code)
        cases: dict[str, Step] = {"ganzoo": ours.advance, what: peer(ours)}
        if has_bf16(torch.device("cpu")) and "MLP" not in name:
            cases["ganzoo in bf16"] = models.trainer(model, "train.precision=bf16", *overrides, code=code).advance
        times = harness.interleave(cases, rounds)
        yield harness.ratio(times, what, "ganzoo", title, least=1.5)
        if "ganzoo in bf16" in cases:
            yield harness.ratio(times, what, "ganzoo in bf16", title, least=3)


if __name__ == "__main__":
    harness.main({"peers": rows}, __doc__)
