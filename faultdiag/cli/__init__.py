"""The command line."""

from faultdiag.cli.app import app, main

__all__ = ["app", "main"]
