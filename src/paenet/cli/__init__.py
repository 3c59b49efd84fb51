"""`pae`: parses, calls, prints. Heavy modules are imported by the command that needs them."""

from paenet.cli.app import main

__all__ = ["main"]
