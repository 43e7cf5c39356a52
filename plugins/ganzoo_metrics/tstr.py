"""What a classifier learns from generated samples."""

from __future__ import annotations

import math
from typing import Any

import torch
from ganzoo_extractors.cnn import SMALLEST, Cnn
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganzoo.bounds import PositiveFloat, PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.arrays import to_field, to_uint8
from ganzoo.data.reference import Reference
from ganzoo.model import light
from ganzoo_metrics.images import field_of, nowhere, share

CHUNK = 500
BOUND = 0.5  # of what real samples teach: below, it is named


class Tstr:
    """Train on synthetic, test on real, and the reverse, for labelled data: ``tstr(fake, label)``.

    `tstr` is the accuracy on held-out real samples of a classifier trained on generated ones and the labels asked for;
    `trtr` that of one trained on as many real samples, `ratio` = tstr / trtr, and `trts` the accuracy of the latter on
    the generated samples. Samples without variety have high `trts` and low `tstr`. The verdict is given where `ratio`
    is below a half.

    The classifier is an `encoder.cnn`, for images with a side below 8 and for vectors an MLP with two hidden layers of
    128. It is trained with Adam, batches of `batch` and a learning rate that falls from `lr` to 0 as a cosine, on the
    CPU, with a seed of its own: the same samples give the same numbers. Images become uint8 first.

    Paper: arXiv:1706.02633 section 4.1 (TSTR, TRTS); arXiv:1905.10887 (for images).

    Args:
        data: What was trained on, labels included.
        real: Its field of images or vectors.
        classes: Its field of labels.
        epochs: Passes over the samples; but at least `least` steps are made.
        least: Steps.
        batch: Samples a step.
        lr: The learning rate at the beginning.
        width: Channels of the classifier's first convolution.
        seed: Seed of the classifiers and of the order of samples.

    Raises:
        ValueError: `real` or `classes` is no such field of the data, or a number is not positive.
        UserError: (when called) the data holds nothing out.
    """

    better = "higher"

    def __init__(
        self,
        data: Any,
        real: str = "real",
        classes: str = "label",
        epochs: PositiveInt = 3,
        least: PositiveInt = 100,
        batch: PositiveInt = 64,
        lr: PositiveFloat = 2e-3,
        width: PositiveInt = 8,
        seed: int = 0,
    ):
        self.field = field_of(data.fields, real, "image", "vector")
        self.names = field_of(data.fields, classes, "label").classes
        self.real, self.classes, self.width, self.seed = real, classes, width, seed
        self.epochs, self.least, self.batch, self.lr = epochs, least, batch, lr
        self.seen = Reference(data, "the data", "train")
        self.unseen = Reference(data, "the data", "held_out")
        self._real: dict[int, tuple[nn.Module, float]] = {}

    def __call__(self, fake: Tensor, label: Tensor) -> Measured:
        if len(fake) != len(label):
            raise ValueError(f"{len(fake)} samples have {len(label)} labels, but one each is needed")
        n_real = min(len(fake), len(self.seen))
        if not torch.isfinite(fake).all():
            return nowhere("tstr", "trtr", "ratio", "trts", protocol=self.protocol(n_real))
        generated = (self._quantised(fake[:n_real].cpu()), label[:n_real].flatten().cpu())
        unseen = self._rows(self.unseen, None)
        if n_real not in self._real:
            network = self.taught(*self._rows(self.seen, n_real))
            self._real[n_real] = (network, _accuracy(network, *unseen))
        on_real, trtr = self._real[n_real]
        tstr = _accuracy(self.taught(*generated), *unseen)
        values = {"tstr": tstr, "trtr": trtr, "ratio": tstr / max(trtr, 1e-9), "trts": _accuracy(on_real, *generated)}
        verdict = ""
        if values["ratio"] < BOUND:
            verdict = (
                f"the samples do not show their classes: a classifier trained on them is right on {share(tstr)} of "
                f"unseen real ones, and on {share(trtr)} after as many real ones"
            )
        return Measured(values, self.protocol(n_real), verdict)

    def protocol(self, n_real: int) -> dict[str, Any]:
        """What the numbers depend on."""
        return {
            "trained_on": self.seen.fingerprint,
            "unseen": self.unseen.fingerprint,
            "n_trained_on": n_real,
            "n_fake": n_real,
            "n_unseen": len(self.unseen),
            "field": self.real,
            "epochs": self.epochs,
            "least": self.least,
            "batch": self.batch,
            "lr": self.lr,
            "width": self.width,
            "classifier_seed": self.seed,
        }

    def taught(self, x: Tensor, label: Tensor) -> nn.Module:
        """A classifier trained on samples and their labels."""
        order = torch.Generator().manual_seed(self.seed)
        batch = min(self.batch, len(x))
        steps = max(self.least, self.epochs * (len(x) // batch))
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(self.seed)
            network = self._network().train()
            light.eager_optimizers()
            optimizer = torch.optim.Adam(network.parameters(), self.lr)
            rows = torch.zeros(0, dtype=torch.long)
            for step in range(steps):
                for group in optimizer.param_groups:
                    group["lr"] = self.lr * (1 + math.cos(math.pi * step / steps)) / 2
                if len(rows) < batch:
                    rows = torch.randperm(len(x), generator=order)
                taken, rows = rows[:batch], rows[batch:]
                loss = cross_entropy(network(x[taken])[0], label[taken])
                network.zero_grad()
                loss.backward()
                light.step(optimizer)
        return network.eval()

    def _network(self) -> nn.Module:
        if self.field.kind == "image" and min(self.field.shape[1:]) >= SMALLEST:
            channels, *size = self.field.shape
            return Cnn(channels, (size[0], size[1]), len(self.names), self.width)
        return _Mlp(self.field.size, len(self.names))

    def _quantised(self, x: Tensor) -> Tensor:
        return to_field(to_uint8(x, self.field.range), self.field) if self.field.kind == "image" else x.float()

    def _rows(self, source: Reference, n: int | None) -> tuple[Tensor, Tensor]:
        rows = list(source.batches(n, CHUNK))
        return torch.cat([some[self.real] for some in rows]), torch.cat([some[self.classes] for some in rows])


class _Mlp(nn.Module):
    def __init__(self, size: PositiveInt, classes: int):
        super().__init__()
        hidden = [nn.Flatten(), nn.Linear(size, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()]
        self.body = nn.Sequential(*hidden, nn.Linear(128, classes))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.body(x),)


def _accuracy(network: nn.Module, x: Tensor, label: Tensor) -> float:
    with torch.no_grad():
        found = torch.cat([network(some)[0].argmax(1) for some in x.split(CHUNK)])
    return (found == label).double().mean().item()
