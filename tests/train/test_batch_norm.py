"""Batch norm over the rows of two processes, against one process that has them all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ganzoo import api
from ganzoo.model.inference import Inference
from ganzoo.parallel import distributed
from ganzoo.parallel.norm import BatchNorm, over_all_processes
from tests.train.processes import launch, state, together


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.BatchNorm2d(3),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(48, 5),
        nn.BatchNorm1d(5, momentum=None),
    ).double()


def rows(n: int) -> torch.Tensor:
    return torch.randn(n, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def learn(batch: int) -> dict[str, torch.Tensor]:
    """Gradients of a loss with a penalty's second derivatives, and what is stored after two passes."""
    net, share = network(), batch // distributed.world()
    over_all_processes(net)
    x = rows(batch)[distributed.rank() * share :][:share].requires_grad_()
    net(x * 2)
    out = net(x)
    (slope,) = torch.autograd.grad(out.tanh().mean(0).sum() * share, x, create_graph=True)
    (out.pow(3).mean() + slope.square().flatten(1).sum(1).mean()).backward()
    distributed.average_gradients(net.parameters(), "G")
    found = {name: p.grad for name, p in net.named_parameters()} | dict(net.named_buffers())
    net.eval()
    with torch.no_grad():
        return {**found, "out": distributed.every_row(out), "evaluated": net(rows(batch))}


def test_two_processes_normalise_as_one() -> None:
    one, twos = learn(8), together(learn, 8)
    assert len(one) == 16
    for name, wanted in one.items():
        for two in twos:
            # gradients travel as float32
            tolerance = 1e-5 if name[0].isdigit() and name.endswith(("weight", "bias")) else 1e-12
            assert torch.allclose(two[name].double(), wanted.double(), rtol=tolerance, atol=tolerance / 10), name


def alone() -> tuple[bool, bool]:
    """Whether what a process draws without the others, such as pictures, waits for nobody, and training does not."""
    blueprint = api.Model("dcgan/fashion_mnist_sample", ["parts.G.width=4", "parts.G.eval_bn=batch"]).blueprint
    parts = {"G": blueprint.build(torch.device("cpu"))["G"], "Z": blueprint.build(torch.device("cpu"))["Z"]}
    over_all_processes(parts["G"])
    if distributed.rank() == 0:
        Inference(blueprint, parts, {}, 0).compute([blueprint.spec.flow["fake"]], 4, (0, "test"))
    distributed.barrier()
    return any(isinstance(m, BatchNorm) for m in parts["G"].modules()), parts["G"].training


@pytest.mark.slow
def test_who_computes_alone_waits_for_nobody() -> None:
    assert together(alone) == [(True, True)] * 2


@pytest.mark.slow
def test_training_with_the_setting_equals_one_process(tmp_path: Path) -> None:
    model = ["dcgan/fashion_mnist_sample", "parts.G.width=4", "parts.D.width=4", "train.steps=6", "train.batch=16"]
    rest = ["train.precision=fp32", "optimizer={use: optimizer.sgd, lr: 0.01}", "show=[]", "plugins.tensorboard=false"]
    given = [*model, *rest, "evaluate=null", "train.sync_batch_norm=true"]
    for processes in (1, 2):
        launch(tmp_path, processes, "train", *given, "--out", str(processes), "--quiet")
    one, two = (state(tmp_path / str(processes), averages=False) for processes in (1, 2))
    worst = max((one[key].double() - two[key].double()).abs().max().item() for key in one)
    assert worst < 1e-5, worst
