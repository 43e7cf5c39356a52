"""A trained ranker as the weights of an extractor: ``python -m ganzoo_text.export RUN``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from ganzoo_extractors.export import Trained
from torch import Tensor

from ganzoo.errors import UserError
from ganzoo_text.ranker import FILE
from ganzoo_text.towers import TwoTowers

DRAWS = 100


def first_of(images: Tensor, texts: Tensor, candidates: int = 10) -> float:
    """The share of images nearer to their own text than to others, ``N n`` each, drawn `DRAWS` times for each image.

    Paper: arXiv:1711.10485 section 4.
    """
    same = images @ texts.T
    generator = torch.Generator().manual_seed(0)
    right = 0.0
    for _ in range(DRAWS):
        drawn = torch.rand(same.shape, generator=generator).fill_diagonal_(-1)
        others = same.gather(1, drawn.topk(candidates - 1, 1).indices)
        right += (same.diagonal()[:, None] > others).all(1).double().mean().item()
    return right / DRAWS


def export(run: str | Path, out: Path, part: str = "R") -> dict[str, Any]:
    """Write a run's ranker to ``out`` (safetensors), and beside it the record of how it was trained.

    The record holds the weights' sha256, how often held-out images find their own captions among 10, and the model
    with every default filled, but no path of this machine. Source: ganzoo's own.

    Args:
        run: The run folder or checkpoint.
        out: The file of weights to write; the record is the ``.json`` beside it.
        part: The ranker's name in the model.

    Raises:
        UserError: the run cannot be read, has no such part, or its data has no held-out images.
    """
    trained = Trained(run, part)
    network = trained.network
    if not isinstance(network, TwoTowers):
        raise UserError(f"'{part}' of {run} is no ranker")
    rows = trained.held.batch(torch.arange(len(trained.held)), torch.device("cpu"))
    with torch.no_grad():
        found = first_of(network.image(rows["real"]), network.text(rows["text"]))
    given = trained.opened.config["parts"][part]
    arguments = {key: given[key] for key in ("width", "size", "hidden", "dropout")}
    return trained.write(out, {"arguments": arguments, "right_among_10": found})


def main() -> None:
    """The command line. Source: ganzoo's own."""
    parser = argparse.ArgumentParser(prog="python -m ganzoo_text.export", description=__doc__)
    parser.add_argument("run", help="the run folder of a ranker")
    parser.add_argument("--part", default="R", help="its name in the model")
    parser.add_argument("--out", type=Path, default=FILE, help="the file to write")
    given = parser.parse_args()
    try:
        record = export(given.run, given.out, given.part)
    except UserError as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.out}: {record['right_among_10']:.1%} of {record['test']['images']} drawings, {record['sha256']}")


if __name__ == "__main__":
    main()
