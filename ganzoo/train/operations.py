"""The time of a step by kind of operation, as torch computes it: convolutions, norms, copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

KINDS = {  # the first whose word begins or ends an operation's name, underscores and direction aside
    "convolutions": ("convolution", "_conv", "mkldnn_conv", "_slow_conv"),
    "matrix products": ("mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "dot", "_scaled_dot_product", "lstm"),
    "norms": ("native_batch_norm", "native_group_norm", "native_layer_norm", "_native_batch_norm", "batch_norm"),
    "optimizers": ("_fused_", "_foreach_"),
    "copies": (
        "clone", "copy_", "_to_copy", "cat", "stack", "index", "gather", "repeat", "flip", "roll", "constant_pad",
        "reflection_pad", "replication_pad", "pixel_shuffle", "pixel_unshuffle", "upsample", "select_backward",
        "slice_backward", "as_strided_scatter", "zeros", "new_zeros", "fill_", "zero_",
    ),
    "draws": ("rand", "normal_", "uniform_", "bernoulli", "native_dropout", "exponential_"),
}  # fmt: skip
OTHERS = "elementwise and sums"


def kind(name: str) -> str:
    """Of what kind an operation is, by its name in ``torch.ops.aten``."""
    return next((kind for kind, words in KINDS.items() if name.startswith(words)), OTHERS)


class Operations(TorchDispatchMode):
    """Adds up the seconds that operations take, forward, backward and in optimizers, by name.

    What asks for them, Python and autograd, is not among these. Operations on a device that computes by itself must
    be waited for by `read`.

    Args:
        read: The time now.
    """

    def __init__(self, read: Callable[[], float]) -> None:
        super().__init__()
        self.read = read
        self.spent: dict[str, float] = defaultdict(float)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        began = self.read()
        result = func(*args, **(kwargs or {}))
        self.spent[func._overloadpacket.__name__] += self.read() - began
        return result

    def by_kind(self) -> dict[str, float]:
        """Seconds of each kind, none left out."""
        found = dict.fromkeys([*KINDS, OTHERS], 0.0)
        for name, seconds in self.spent.items():
            found[kind(name)] += seconds
        return found
