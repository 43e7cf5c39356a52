"""Computing shapes, and training, without torch's compiler.

Operations on the meta device are written in Python inside torch. Their first calls import torch._dynamo, sympy and the
module of symbolic shapes, two seconds in all, only to say "do not compile me" and to ask whether a size is symbolic. In
a check nothing is compiled and no size is symbolic, so stand-ins answer while it lasts. A question they have no answer
to brings the real modules, and all goes on as it does without this file.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch.optim import optimizer as _optimizer

_MARK = "__dynamo_disable"  # where torch keeps the answer with the function
_COMPILER, _ALGEBRA, _SHAPES = "torch._dynamo", "sympy", "torch.fx.experimental.symbolic_shapes"


class _Nothing:
    """A class of which there are no objects."""


def _truth(condition: Any, *more: Any, **options: Any) -> bool:
    return bool(condition)


class _Loaded(Loader):
    """Hands out a module that is imported already."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


class _StandIns(MetaPathFinder):
    """Modules that answer for plain numbers, until one is asked for more or something inside it is imported."""

    def __init__(self) -> None:
        self.answered: list[Any] = []
        truths = (
            *("expect_true", "guard_or_false", "guard_or_true", "guard_size_oblivious", "statically_known_true"),
            "guard_bool",
        )
        answers: dict[str, dict[str, Any]] = {
            _COMPILER: {"disable": self.disable},
            _ALGEBRA: {"Basic": _Nothing, "Expr": _Nothing, "Symbol": _Nothing},
            _SHAPES: {
                **dict.fromkeys(truths, _truth),
                "sym_eq": lambda a, b: a == b,
                "sym_and": lambda *all_of: all(all_of),
                "sym_or": lambda *any_of: any(any_of),
                "is_nested_int": lambda size: False,
                "has_guarding_hint": lambda size: True,
                "guarding_hint_or_throw": lambda size: size,
                "guard_int": lambda size: size,
                "free_unbacked_symbols": lambda value: set(),
            },
        }
        self.modules = {name: self.module(name, known) for name, known in answers.items()}

    def module(self, name: str, known: dict[str, Any]) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(known, __path__=[])

        def real(attribute: str) -> Any:
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            self.leave()
            return getattr(importlib.import_module(name), attribute)

        made.__getattr__ = real  # type: ignore[method-assign]
        return made

    def disable(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        self.answered.append(function)
        return function

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname.rpartition(".")[0] not in self.modules:
            return None
        self.leave()
        return ModuleSpec(fullname, _Loaded(importlib.import_module(fullname)))

    def enter(self) -> None:
        sys.modules.update(self.modules)
        sys.meta_path.insert(0, self)
        torch._dynamo = self.modules[_COMPILER]

    def leave(self) -> None:
        """Take the stand-ins away, with the answers that torch has kept."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name, made in self.modules.items():
            if sys.modules.get(name) is made:
                del sys.modules[name]
        if vars(torch).get("_dynamo") is self.modules[_COMPILER]:
            del torch._dynamo
        for function in self.answered:
            vars(function).pop(_MARK, None)
        self.answered.clear()


@contextmanager
def without_compiler() -> Iterator[None]:
    """Inside the block meta tensors need neither torch's compiler nor sympy; afterwards all is as it was.

    Where any of them is imported already there is nothing to save, and nothing is done.
    """
    if {_COMPILER, _ALGEBRA, _SHAPES} & sys.modules.keys():
        yield
        return
    stand_ins = _StandIns()
    stand_ins.enter()
    try:
        yield
    finally:
        stand_ins.leave()


def eager_optimizers() -> None:
    """Let torch's optimizers answer for themselves that they are not compiled, before they import the compiler to ask.

    For processes that compile nothing: where the compiler is there already, it is asked as ever.
    """
    if _COMPILER in sys.modules:
        return
    for method in vars(torch.optim.Optimizer).values():
        if isinstance(method, FunctionType) and method.__code__.co_filename == torch._compile.__file__:
            function: Any = method.__wrapped__  # type: ignore[attr-defined]
            vars(function).setdefault(_MARK, function)


def step(optimizer: torch.optim.Optimizer) -> None:
    """One step of an optimizer, like ``optimizer.step()``, whose wrappers import the compiler to tell it to stop there.

    Where the compiler is there already, or somebody watches the optimizer's steps, it is called as ever.
    """
    watched = (
        *("step" in vars(optimizer), optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks),
        *(_optimizer._global_optimizer_pre_hooks, _optimizer._global_optimizer_post_hooks),
    )
    if _COMPILER in sys.modules or any(watched) or optimizer.defaults.get("differentiable"):
        optimizer.step()
        return
    function: Any = type(optimizer).step
    while function.__code__.co_filename == _optimizer.__file__ and hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    with torch.no_grad():
        function(optimizer)
