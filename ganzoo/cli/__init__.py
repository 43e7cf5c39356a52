"""The command line."""

from ganzoo.cli.app import main

__all__ = ["main"]
