"""Captioned images with a vector for each word of the caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from ganzoo_data.base import Split
from ganzoo_data.listing import Listing
from ganzoo_data.openmoji import TILE, OpenMoji
from ganzoo_text.captions import Captions

from ganzoo.bounds import PositiveInt
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo.registry import plugins
from ganzoo.run.captions import encoder as made


class WordCaptions(Captions):
    """`data.captions` with the vectors of each caption's words, `words`, ``length width``; zeros follow the last.

    Vectors are those of `encoder`: what `encoder.minilm` says of each piece of a word in its caption; other encoders
    are asked word by word. Of several captions the first is taken.

    Paper: arXiv:1711.10485 section 3.1, whose words come from a recurrent network.

    Args:
        root: The folder.
        size: ``[H, W]``, or one number for a square. Not needed where all files have one size.
        channels: 1 grey, 3 colour, 4 with transparency; 1 or 3 as the files need if not given.
        length: How many words of a caption count.
        encoder: The component that makes embeddings of captions.
        width: How many numbers an embedding has.
        split: ``train``, or ``test`` for what `holdout` sets aside.
        holdout: The part of the files that is set aside for ``test``, chosen by a hash of each one's path.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        root: Path,
        size: int | tuple[int, int] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        length: PositiveInt = 18,
        encoder: str = "encoder.minilm",
        width: int = 384,
        split: Split = "train",
        holdout: float = 0.0,
    ):
        super().__init__(root, split, size=size, channels=channels, holdout=holdout, encoder=encoder, width=width)
        self.length = length

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {**super().fields, "words": Field("vector", (self.length, self.width))}

    def beside(self, mine: Listing) -> dict[str, np.ndarray]:
        captions = [self.captions[file.path][0] for file in mine.files]
        return {**super().beside(mine), "words": word_vectors(self.encoder or "", captions, self.length)}


class OpenMojiWords(OpenMoji):
    """`data.openmoji` with the vectors of each caption's words, `words`, ``length width``; zeros follow the last.

    `text` is bundled, by `encoder.minilm`. The words are of the drawing's name, as in ``cat face``; `encoder.ngrams`
    needs no weights.

    Source: OpenMoji 17.0.0; licence: see files/CREDITS.md.

    Args:
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: Side of the images; below 64 each pixel is the mean of the area it covers.
        length: How many words of a caption count.
        encoder: Whose vectors of words: ``encoder.ngrams`` or ``encoder.minilm``.
    """

    def __init__(
        self,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int = TILE,
        length: PositiveInt = 6,
        encoder: str = "encoder.ngrams",
    ):
        super().__init__(("real", "text"), split, range, size)
        self.length, self.encoder = length, encoder

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {**super().fields, "words": Field("vector", (self.length, super().fields["text"].shape[0]))}

    def load(self) -> dict[str, np.ndarray]:
        return {**super().load(), "words": word_vectors(self.encoder, self.texts, self.length)}


def word_vectors(encoder: str, captions: Sequence[str], length: int) -> np.ndarray:
    """The vectors of the first words of each caption, float32 ``n length width``, and zeros after them.

    Raises:
        UserError: the encoder is not at hand.
    """
    encode = made(plugins.in_use().find(encoder, ("encoder",)))
    if hasattr(encode, "words"):
        return encode.words(captions, length).numpy()
    split = ["".join(ch if ch.isalnum() else " " for ch in caption.lower()).split()[:length] for caption in captions]
    every = sorted({word for words in split for word in words})
    if not every:
        raise UserError("the captions have no words")
    place = {word: row for row, word in enumerate(every)}
    vectors = encode(every)
    found = torch.zeros(len(captions), length, vectors.shape[1])
    for row, words in zip(found, split, strict=True):
        row[: len(words)] = vectors[[place[word] for word in words]]
    return found.numpy()
