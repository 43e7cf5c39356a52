"""A trained classifier as the weights of an extractor: ``python -m ganzoo_extractors.export RUN``."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

import ganzoo
from ganzoo.errors import UserError
from ganzoo.model.blueprint import load_factories, make_data
from ganzoo.store.files import atomic, write_atomic
from ganzoo_extractors.weights import FILES

CHUNK = 500
ENVIRONMENT = ("ganzoo", "python", "packages", "device", "threads", "processes")


def accuracy(network: nn.Module, data: Any) -> tuple[int, int]:
    """How many images of a data set the classifier gets right, and of how many. Its first output is the logits.

    Source: arXiv:1708.07747 section 4.
    """
    right = 0
    for index in torch.arange(len(data)).split(CHUNK):
        rows = data.batch(index, torch.device("cpu"))
        with torch.no_grad():
            right += int((network(rows["real"])[0].argmax(1) == rows["label"]).sum())
    return right, len(data)


def export(run: str | Path, out: Path, part: str = "C") -> dict[str, Any]:
    """Write a run's classifier to ``out`` (safetensors), and beside it the record of how it was trained.

    The record holds the weights' sha256, the accuracy on the data's held-out images, measured here, and the model with
    every default filled, but no path of this machine. Source: ganzoo's own.

    Args:
        run: The run folder or checkpoint.
        out: The file of weights to write; the record is the ``.json`` beside it.
        part: The classifier's name in the model.

    Raises:
        UserError: the run cannot be read, has no such part, or its data has no held-out images.
    """
    trained = Trained(run, part)
    right, count = accuracy(trained.network, trained.held)
    return trained.write(out, {"accuracy": right / count}, {"right": right})


class Trained:
    """One network of a run, with the data it was trained on and what was held out of it. Source: ganzoo's own.

    Args:
        run: The run folder or checkpoint.
        part: The network's name in the model.

    Raises:
        UserError: the run cannot be read, has no such network, or its data has no held-out images.
    """

    def __init__(self, run: str | Path, part: str):
        self.opened, self.part = ganzoo.open(run, device="cpu"), part
        if not isinstance(self.opened.parts.get(part), nn.Module):
            raise UserError(f"{run} has no network '{part}'")
        self.network: nn.Module = self.opened.parts[part]
        self.data = make_data(self.opened.spec.data, load_factories(self.opened.spec))
        self.held: Any = self.data.held_out() if self.data is not None else None
        if self.held is None:
            raise UserError(f"the data of {run} has no held-out images to measure it on")

    def write(self, out: Path, found: dict[str, Any], of_test: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the weights and their record, with what was `found` of the network on the held-out images.

        Raises:
            UserError: it cannot be written.
        """
        opened = self.opened
        weights = save({name: tensor.contiguous() for name, tensor in sorted(self.network.state_dict().items())})
        config = {key: value for key, value in opened.config.items() if key not in ("about", "locked", "plugins")}
        config["data"] = {key: value for key, value in config["data"].items() if key != "root"}
        environment = opened.checkpoint.header["environment"]
        record = {
            "sha256": hashlib.sha256(weights).hexdigest(),
            "bytes": len(weights),
            **found,
            "test": {"images": len(self.held), **(of_test or {}), "fingerprint": self.held.fingerprint()},
            "train": {"images": len(self.data), "fingerprint": self.data.fingerprint()},
            "model": opened.name,
            "part": self.part,
            "steps": opened.step,
            "seed": opened.spec.train.seed,
            "environment": {key: environment[key] for key in ENVIRONMENT},
            "config": config,
        }
        with atomic(out) as file:
            file.write(weights)
        write_atomic(out.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
        return record


def main() -> None:
    """The command line. Source: ganzoo's own."""
    parser = argparse.ArgumentParser(prog="python -m ganzoo_extractors.export", description=__doc__)
    parser.add_argument("run", help="the run folder of a classifier")
    parser.add_argument("--part", default="C", help="its name in the model")
    parser.add_argument("--out", type=Path, default=FILES / "fashion_cnn.safetensors", help="the file to write")
    given = parser.parse_args()
    try:
        record = export(given.run, given.out, given.part)
    except UserError as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.out}: {record['accuracy']:.2%} of {record['test']['images']} test images, sha256 {record['sha256']}")


if __name__ == "__main__":
    main()
