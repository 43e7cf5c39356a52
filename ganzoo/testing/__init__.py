"""Does a component keep the promises that let it meet any other? One test for every kind, for plugin authors too.

@pytest.mark.parametrize("name", ganzoo.testing.components("ganzoo-acme"))
def test_conforms(name):
    ganzoo.testing.conforms(name)
"""

from __future__ import annotations

from typing import Any

from ganzoo.registry import Registry, plugins
from ganzoo.testing.checks import check_component
from ganzoo.testing.inputs import Example

__all__ = ["Example", "components", "conforms"]


def components(dist: str | None = None, registry: Registry | None = None) -> list[str]:
    """The names of every component, or of those that one distribution adds."""
    entries = registry if registry is not None else plugins.installed()
    return [entry.id for entry in entries if dist is None or entry.plugin.dist == dist]


def conforms(name: str, registry: Registry | None = None, **args: Any) -> None:
    """Check one component: documented, built from facts at many shapes, deterministic, finite, stored and restored.

    Args:
        name: ``kind.name``, or ``distribution:kind.name``.
        registry: Where to find it; everything installed if not given.
        args: Arguments that it needs and that no fact gives, such as the root of a data set.

    Raises:
        AssertionError: it breaks a promise; the message says which, at which shape.
    """
    entry = (registry if registry is not None else plugins.installed()).find(name)
    check_component(entry, args)
