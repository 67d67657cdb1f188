"""The command line: run a scenario, look at a mesh or make one, measure a geometry."""

from spatial.cli.app import main

__all__ = ["main"]
