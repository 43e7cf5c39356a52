"""Batches from shards against the decoder alone, and their order after a resume.

``python -m benchmarks.shards FOLDER`` reads what ``ganzoo data pack … --format shards`` wrote. The bare loop decodes
PNGs of the same shards, held in memory, by PIL into arrays, one after the other; the feed reads, decodes and batches,
in the order of training. Both in turns, with wall time and with the processor's own, which other jobs disturb less.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tarfile
import time
from collections.abc import Callable

import numpy as np
import torch
from ganzoo_data.shards import Shards
from PIL import Image

from ganzoo.train.feed import Feed


def held(data: Shards, count: int) -> list[bytes]:
    """The first PNGs of the first shard."""
    found: list[bytes] = []
    with tarfile.open(data.files[0]) as tar:
        for member in tar:
            if member.name.endswith(".png") and (file := tar.extractfile(member)) is not None:
                found.append(file.read())
            if len(found) == count:
                break
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=40, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    began = time.process_time()
    data = Shards(given.folder)
    feed = Feed(data, 0, torch.device("cpu"))
    count = given.batch * given.batches
    pictures = held(data, count)
    feed.take(given.batch)[0]["real"]
    print(f"{len(data):,} images in {len(data.files)} shards, opened in {time.process_time() - began:.1f} s of a core")

    def bare() -> None:
        for picture in pictures:
            with Image.open(io.BytesIO(picture)) as image:
                np.asarray(image)

    def fed() -> None:
        for _ in range(given.batches):
            feed.take(given.batch)[0]["real"]

    times: dict[str, list[tuple[float, float]]] = {"PIL alone": [], "batches of the feed": []}
    ways: list[Callable[[], None]] = [bare, fed]
    for _ in range(given.rounds):
        for name, way in zip(times, ways, strict=True):
            wall, used = time.perf_counter(), time.process_time()
            way()
            times[name].append((time.perf_counter() - wall, time.process_time() - used))
    for name, found in times.items():
        for what, each in zip(("by the clock", "of a core"), zip(*found, strict=True), strict=True):
            rates = sorted(len(pictures if name == "PIL alone" else range(count)) / t for t in each)
            median = statistics.median(rates)
            print(f"{name:20} {median:8,.0f} images a second {what} ({rates[0]:,.0f} to {rates[-1]:,.0f})")

    near_end = (len(data) - given.batch // 2) // given.batch * given.batch  # the second of these spans two epochs
    once = Feed(data, 0, torch.device("cpu"))
    once.cursor = near_end - 2 * given.batch
    straight = [once.take(given.batch)[0]["real"].clone() for _ in range(6)]
    again = Feed(Shards(given.folder), 0, torch.device("cpu"))
    again.cursor = near_end
    resumed = [again.take(given.batch)[0]["real"] for _ in range(4)]
    same = all(a.equal(b) for a, b in zip(straight[2:], resumed, strict=True))
    print(f"resumed at sample {near_end:,}, before an epoch's end: 4 batches are {'' if same else 'NOT '}equal")


if __name__ == "__main__":
    main()
