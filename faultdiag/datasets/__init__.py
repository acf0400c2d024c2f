"""Catalogues of recordings and their facts, by name.

Another dataset is one module with a class that fulfils `Dataset`, and one row in `DATASETS`.
"""

from faultdiag.datasets.base import Dataset, Entry, Selection, sha256
from faultdiag.datasets.identify import identify, identify_by_name
from faultdiag.datasets.load import channel_names, load_entry, read_entry
from faultdiag.registry import Registry

__all__ = [
    "DATASETS",
    "Dataset",
    "Entry",
    "Selection",
    "channel_names",
    "identify",
    "identify_by_name",
    "load_entry",
    "read_entry",
    "sha256",
]

DATASETS: Registry[Dataset] = Registry(
    "dataset",
    {
        "cwru": "faultdiag.datasets.cwru:Cwru",
        "folder": "faultdiag.datasets.folder:Folder",
        "manifest": "faultdiag.datasets.manifest:Manifest",
        "mfpt": "faultdiag.datasets.mfpt:Mfpt",
        "synthetic": "faultdiag.datasets.synthetic:Synthetic",
        "uestc": "faultdiag.datasets.uestc:Uestc",
    },
)
