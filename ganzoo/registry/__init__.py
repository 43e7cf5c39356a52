"""Components by name: what plugins register, who registered it, and how entry points are found and loaded."""

from ganzoo.registry.components import KINDS, Entry, Layout, Plugin, Source
from ganzoo.registry.registry import Failure, Registry
from ganzoo.registry.zoo import Zoo

__all__ = ["KINDS", "Entry", "Failure", "Layout", "Plugin", "Registry", "Source", "Zoo"]
