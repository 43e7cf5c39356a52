"""What may import what: the core knows no plugin and names no component, and its lower layers know no higher one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ganzoo
from ganzoo.registry import plugins

CORE = Path(ganzoo.__file__).parent
ROOT = CORE.parent
LAYERS = (
    ("errors", "contract", "bounds"),
    ("registry", "ganzoo"),
    ("config",),
    ("parallel", "data", "store"),
    ("model",),
    ("train",),
    ("evaluation",),
    ("report",),
    ("run",),
    ("reproduction", "pages"),
    ("api",),
    ("sweep", "demo"),
    ("cli", "testing", "__main__"),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
MODULES = {
    ".".join(("ganzoo", *path.relative_to(CORE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(CORE.rglob("*.py"))
}
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer(module: str) -> str:
    """``ganzoo.config.tree`` is of the layer ``config``."""
    return module.split(".")[1] if "." in module else module


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from running(child)


def imports(module: str, path: Path, at_import: bool = False) -> set[str]:
    """The modules that a module imports, in functions too unless only what runs `at_import` is asked for."""
    found: set[str] = set()
    for node in top_level(tree_of(path)) if at_import else running(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            base = node.module or ""
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                home = ganzoo._LAZY.get(alias.name, "ganzoo") if base == "ganzoo" else base
                found.add(inner if inner in MODULES else home)
    return found - {module}


def top_level(tree: ast.Module) -> Iterator[ast.AST]:
    return (node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


def test_every_module_has_a_layer() -> None:
    assert {layer(module) for module in MODULES} == set(RANK)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    for imported in imports(module, MODULES[module]):
        assert not imported.startswith("ganzoo_"), f"{module} imports the plugin {imported}"
        if imported in MODULES:
            assert RANK[layer(imported)] <= RANK[layer(module)], f"{module} imports {imported}, which is higher"


def test_no_circle_of_modules() -> None:
    zoo = {
        ".".join(path.relative_to(ROOT / "plugins").with_suffix("").parts).removesuffix(".__init__"): path
        for path in PLUGINS
    }
    files = {**MODULES, **zoo}
    graph = {module: imports(module, path) & files.keys() for module, path in files.items()}
    for module in zoo:  # `from ganzoo_data import doctor` needs the module, not the package that holds it
        graph[module] |= {f"{base}.{name}" for base, name in named(files[module]) if f"{base}.{name}" in files}
    while graph:
        free = {module for module, needed in graph.items() if not needed & graph.keys()}
        assert free, f"modules import each other: {sorted(graph)}"
        graph = {module: needed for module, needed in graph.items() if module not in free}


def named(path: Path) -> Iterator[tuple[str, str]]:
    """What a module imports by name: the module that it is imported from, and the name."""
    for node in running(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def _documentation(tree: ast.Module) -> set[int]:
    """The docstrings of a module, and texts that stand by themselves."""
    return {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


@pytest.mark.parametrize("module", MODULES)
def test_the_core_names_no_component(module: str) -> None:
    ids = {entry.id for entry in plugins.installed() if entry.plugin.dist == "ganzoo"}
    assert len(ids) > 30
    known = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, sorted(ids, key=len, reverse=True)))})(?![\w.])")
    tree = tree_of(MODULES[module])
    documentation = _documentation(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            named = known.findall(node.value)
            assert not named, f"{MODULES[module]}:{node.lineno} names {named}"


@pytest.mark.parametrize("path", [*MODULES.values(), *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def test_nothing_light_imports_torch_when_imported() -> None:
    light = [module for module in MODULES if RANK[layer(module)] <= RANK["config"]] + [
        "ganzoo.data.fields",
        "ganzoo.parallel.launch",
        "ganzoo.store.folder",
    ]
    for module in light:
        heavy = {name.split(".")[0] for name in imports(module, MODULES[module], at_import=True)}
        assert not heavy & {"torch", "torchvision", "numpy"}, module


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_composing_and_checking_a_model_leaves_torch_out() -> None:
    code = """
import sys
import ganzoo
assert "ganzoo.api" not in sys.modules
from ganzoo import config
from ganzoo.registry import plugins
from ganzoo.config import compose
registry = plugins.discover()
assert not registry.failures, registry.failures
config.load("gan/circle", ["train.steps=10"], registry)
for entry in registry:
    entry.source()
compose.models(registry)
print(sorted({"torch", "torchvision"} & set(sys.modules)), len(registry.entries) > 30)
"""
    assert run(code) == "[] True"


def test_the_public_names_are_lazy() -> None:
    code = "import sys, ganzoo; ganzoo.ignores, ganzoo.first, ganzoo.load; print('torch' in sys.modules)"
    assert run(code) == "False"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ganzoo.nothing  # noqa: B018
