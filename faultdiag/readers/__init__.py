"""Readers of recordings, one file a format."""

from faultdiag.readers.read import list_variables, read_recording

__all__ = ["list_variables", "read_recording"]
