"""Catalogues of recordings and their facts, by name.

Another dataset is one module with a class that fulfils `Dataset`, and one row in `DATASETS`.
"""

from faultdiag.datasets.base import Dataset
from faultdiag.registry import Registry

__all__ = ["DATASETS", "Dataset"]

DATASETS: Registry[Dataset] = Registry(
    "dataset",
    {
        "cwru": "faultdiag.datasets.cwru:Cwru",
        "femto": "faultdiag.datasets.femto:Femto",
        "folder": "faultdiag.datasets.folder:Folder",
        "hust": "faultdiag.datasets.hust:Hust",
        "ims": "faultdiag.datasets.ims:Ims",
        "jnu": "faultdiag.datasets.jnu:Jnu",
        "mafaulda": "faultdiag.datasets.mafaulda:Mafaulda",
        "manifest": "faultdiag.datasets.manifest:Manifest",
        "mfpt": "faultdiag.datasets.mfpt:Mfpt",
        "paderborn": "faultdiag.datasets.paderborn:Paderborn",
        "seu": "faultdiag.datasets.seu:Seu",
        "synthetic": "faultdiag.datasets.synthetic:Synthetic",
        "uestc": "faultdiag.datasets.uestc:Uestc",
        "uored": "faultdiag.datasets.uored:Uored",
        "windows": "faultdiag.datasets.windows:Windows",
        "xjtu_sy": "faultdiag.datasets.xjtu_sy:XjtuSy",
    },
    group="faultdiag.datasets",
)
