"""The 161 recordings of the CWRU Bearing Data Center: their facts and their bytes' digests."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from faultdiag.datasets.digest import git_blob_sha1

_NUMBERS = ("number", "clock", "load_hp", "rpm", "sampling_rate")
_TEXTS = ("group", "end", "fault", "code", "size", "bearing")
FACTS = (
    *("number", "group", "end", "fault", "code", "size", "clock"),
    *("load_hp", "rpm", "sampling_rate", "bearing", "specimen"),
)
# Of some recordings only git's digest is known, not their length. They are 48 kHz files of
# uncompressed doubles: a multiple of 8 bytes, between 1 and 20 million. Others needn't be hashed,
# nor those that other programs than MATLAB wrote.
_MATLAB = b"MATLAB 5.0 MAT-file, Platform: "
_LENGTHS_OF_THE_REST = range(1_000_000, 20_000_000, 8)


@dataclass(frozen=True, slots=True)
class Known:
    """A recording of the catalogue: its facts, and its length and digests where known."""

    facts: Mapping[str, Any]
    bytes: int | None
    sha256: str | None
    git_blob_sha1: str

    @property
    def number(self) -> int:
        """Its number at the Bearing Data Center."""
        return int(self.facts["number"])

    def __str__(self) -> str:
        """Give number, group, fault and load: ``144 (12k_DE, OR007@3, 0 hp)``."""
        facts = self.facts
        clock = f"@{facts['clock']}" if facts["clock"] else ""
        fault = f" {facts['code']}{facts['size']}{clock}," if facts["size"] else ""
        return f"{self.number} ({facts['group']},{fault} {facts['load_hp']} hp)"


@cache
def catalogue() -> Mapping[int, Known]:
    """Give all recordings by number, in the order of the numbers."""
    with Path(__file__).with_name("cwru.csv").open(encoding="utf-8", newline="") as file:
        known = [_known(row) for row in csv.DictReader(file)]
    return {row.number: row for row in sorted(known, key=lambda row: row.number)}


def identify(path: Path) -> Mapping[str, Any] | None:
    """Give the facts of a recording from its bytes alone, whatever the file is called.

    The file is only hashed if its length is one that a recording has.

    Raises
    ------
    FaultdiagError
        If the file can't be read.
    """
    known = recognise(path)
    return None if known is None else known.facts


def recognise(path: Path) -> Known | None:
    """Give the recording of the catalogue whose bytes a file holds, or None."""
    lengths, by_digest = _digests()
    length = path.stat().st_size if path.is_file() else -1
    if length not in lengths and not (length in _LENGTHS_OF_THE_REST and _by_matlab(path)):
        return None
    return by_digest.get(git_blob_sha1(path))


def _by_matlab(path: Path) -> bool:
    """Tell whether MATLAB itself wrote a file, as it did those of the Bearing Data Center."""
    with path.open("rb") as file:
        return file.read(len(_MATLAB)) == _MATLAB


@cache
def _digests() -> tuple[frozenset[int | None], Mapping[str, Known]]:
    known = catalogue().values()
    # Git's digest is known of every recording and takes half the time of SHA-256.
    return frozenset(k.bytes for k in known), {k.git_blob_sha1: k for k in known}


def _known(row: Mapping[str, str]) -> Known:
    numbers = {name: int(row[name]) if row[name] else None for name in _NUMBERS}
    values = {**numbers, **{name: row[name] or None for name in _TEXTS}}
    values["specimen"] = _specimen(row["end"], row["code"], row["size"])
    return Known(
        facts={name: values[name] for name in FACTS},
        bytes=int(row["bytes"]) if row["bytes"] else None,
        sha256=row["sha256"] or None,
        git_blob_sha1=row["git_blob_sha1"],
    )


def _specimen(end: str, code: str, size: str) -> str:
    """Name the physical bearing: ``DE-IR-007``, or ``N`` for the healthy one.

    Load, recorder (12k or 48k) and clock position are other recordings of the same seeded
    fault; whether another clock position was another bearing is not documented, so none is
    held out against another.
    """
    return f"{end}-{code}-{size}" if size else code
