"""A check needs neither torch's compiler nor what only pictures, logs and metrics need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch._dynamo", "torch._inductor", "sympy", "matplotlib", "tensorboard", "torchvision")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_check_imports_nothing_that_it_does_not_need() -> None:
    code = f"""
import sys
import ganzoo
for model in ("gan/circle", "dcgan/fashion_mnist_sample", "cyclegan/openmoji", "sngan/sngan", "projection/projection",
              "srgan/photos", "stackgan/openmoji"):
    notes = ganzoo.load(model).check()
    assert not any("meta device" in note for note in notes), notes
    found = [name for name in {HEAVY} if name in sys.modules]
    assert not found, (model, found)
import torch
assert "_dynamo" not in vars(torch)
"""
    run(code)


def test_the_compiler_works_afterwards() -> None:
    code = """
import sys
import torch
from ganzoo.model.light import without_compiler
with without_compiler():
    meta = torch.empty(2, 3, device="meta")
    assert (torch.relu(meta * 1.0) + meta[:, :1]).shape == (2, 3)
    assert "torch._inductor" not in sys.modules
import torch._dynamo
explained = torch._dynamo.explain(lambda x: torch.relu(x) * 2)(torch.ones(3))
assert explained.graph_count == 1 and explained.graph_break_count == 0
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist() == [2, 2]
"""
    run(code)


def test_a_question_without_an_answer_brings_the_real_modules() -> None:
    code = """
import sys
from ganzoo.model.light import without_compiler
with without_compiler():
    import sympy
    assert sympy.Integer(2) + 1 == 3
    import torch
    assert (torch.empty(2, 3, device="meta") * 1.0).shape == (2, 3)
import sympy
assert sympy.sqrt(4) == 2
import torch
assert torch.compile(lambda x: x * 2, backend="eager")(torch.ones(2)).tolist() == [2, 2]
"""
    run(code)


def test_what_is_inside_them_can_be_imported() -> None:
    code = """
import sys
import torch
from ganzoo.model.light import without_compiler
with without_compiler():
    import torchvision
    from torch._dynamo.utils import is_compile_supported
    import sympy.core
    assert (torch.empty(2, 3, device="meta") * 1.0).shape == (2, 3)
assert torch._dynamo.utils is sys.modules["torch._dynamo.utils"]
assert torch._dynamo.utils.__spec__.origin.endswith("utils.py")
assert torch.compile(lambda x: x * 2, backend="eager")(torch.ones(2)).tolist() == [2, 2]
assert not any("ganzoo" in type(finder).__module__ for finder in sys.meta_path)
"""
    run(code)


def test_the_first_steps_of_a_training_import_no_compiler() -> None:
    code = f"""
import sys
import torch
import ganzoo
from ganzoo.train.loop import Trainer
trainer = Trainer(ganzoo.load("gan/circle", {{"train.precision": "fp32"}}).blueprint, torch.device("cpu"))
trainer.advance()
trainer.load_state_dict(trainer.state_dict())
trainer.advance()
found = [name for name in {HEAVY} if name in sys.modules]
assert not found, found
compiled = torch.compile(lambda x: x * 2, backend="eager")
assert compiled(torch.ones(2)).tolist() == [2, 2]
trainer.advance()
"""
    run(code)
