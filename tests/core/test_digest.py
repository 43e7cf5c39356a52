"""The hash of a component's code: of its module and of what that imports from its own package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PRINT = """
from ganzoo.registry.components import Entry, Plugin
from ganzoo.registry.digest import code_of
print(code_of(Entry("op", "mine", "own_package.mine:mine", Plugin("own", "own", "0"))))
"""


def code(folder: Path, **files: str) -> str:
    package = folder / "own_package"
    package.mkdir(exist_ok=True)
    for name, text in {"__init__": "", **files}.items():
        (package / f"{name}.py").write_text(text)
    command = [sys.executable, "-B", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{PRINT}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout.strip()


MINE = "import math\nfrom own_package.helper import half\ndef mine(x):\n    return half(x)\n"
HELPER = "from . import constants\ndef half(x):\n    return x / constants.TWO\n"


def test_it_changes_with_the_module_and_with_what_that_imports_of_its_package(tmp_path: Path) -> None:
    base = {"mine": MINE, "helper": HELPER, "constants": "TWO = 2\n", "other": "X = 1\n"}
    first = code(tmp_path, **base)
    assert len(first) == 16
    assert code(tmp_path, **base | {"other": "X = 2\n"}) == first, "nothing imports it"
    changed = [
        base | {"mine": MINE + "Y = 1\n"},
        base | {"helper": HELPER + "Y = 1\n"},
        base | {"constants": "TWO = 3\n"},
    ]
    assert len({first, *(code(tmp_path, **files) for files in changed)}) == 4
