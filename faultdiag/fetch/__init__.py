"""Downloading the recordings of public datasets, each checked by its digest.

Another dataset is one module with a class that fulfils `Source`, and one row in `SOURCES`.
"""

from faultdiag.fetch.transfer import Source, Survey, Wanted, choose
from faultdiag.registry import Registry

__all__ = ["SOURCES", "Source", "Survey", "Wanted", "choose"]

SOURCES: Registry[Source] = Registry(
    "dataset to fetch", {"cwru": "faultdiag.fetch.cwru:CwruSource"}
)
