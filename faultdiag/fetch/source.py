"""What can be fetched: files by name and digest, and the ones that a pattern means."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, Protocol

from faultdiag.errors import FaultdiagError, did_you_mean


@dataclass(frozen=True, slots=True)
class Wanted:
    r"""A file that can be fetched.

    Parameters
    ----------
    file
        Its name at the server and in the folder: ``"105.mat"``.
    title
        What it is, in words.
    names
        What a pattern is compared with.
    algorithm, digest
        Its SHA-256, or the SHA-1 that git gives a blob (of ``blob <length>\0`` and the bytes).
    length
        Bytes, or None where not known.
    most
        No more bytes than this are taken from a server.
    """

    file: str
    title: str
    names: tuple[str, ...]
    algorithm: Literal["sha256", "git-blob-sha1"]
    digest: str
    length: int | None
    most: int

    def digest_of(self, path: Path) -> str:
        """Give the digest of a file's bytes, of the kind that is known of this one."""
        with path.open("rb") as file:
            if self.algorithm == "sha256":
                return hashlib.file_digest(file, "sha256").hexdigest()
            header = b"blob %d\0" % path.stat().st_size
            start = hashlib.sha1(header, usedforsecurity=False)
            return hashlib.file_digest(file, lambda: start).hexdigest()

    def difference(self, path: Path) -> str | None:
        """Say how a file's bytes differ from what they should be, or None where they don't."""
        found = self.digest_of(path)
        if found == self.digest:
            return None
        size = path.stat().st_size
        lengths = f" ({size} bytes, not {self.length})" if self.length not in {None, size} else ""
        return f"{self.algorithm} is {found}, expected {self.digest}{lengths}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What a folder holds already: files by name, and why others can't be fetched into it."""

    present: Mapping[str, Path] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A dataset that can be fetched; built without arguments."""

    base_url: str
    licence: str
    citation: str
    patterns: str
    """What a pattern is compared with, in words with examples."""

    def files(self) -> Sequence[Wanted]:
        """Give all of its files."""

    def survey(self, folder: Path) -> Survey:
        """Give which of them lie in a folder already, under whatever name, by their bytes."""


def choose(files: Sequence[Wanted], only: Sequence[str], patterns: str) -> list[Wanted]:
    """Give the files of which a name matches one of the patterns, all for no pattern.

    ``*`` stands for anything, ``?`` for one character and ``[12]`` for one of these; case does
    not count. A pattern must match the whole of a name.

    Raises
    ------
    FaultdiagError
        If a pattern matches nothing; every such pattern is told.
    """
    matched = [{file.file for file in files if _matches(file, pattern)} for pattern in only]
    problems = [
        _nothing(pattern, files, patterns)
        for pattern, found in zip(only, matched, strict=True)
        if not found
    ]
    if problems:
        raise FaultdiagError("\n".join(problems))
    kept = set().union(*matched)
    return [file for file in files if not only or file.file in kept]


def _matches(file: Wanted, pattern: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.strip().lower()) for name in file.names)


def _nothing(pattern: str, files: Sequence[Wanted], patterns: str) -> str:
    names = dict.fromkeys(name for file in files for name in file.names)
    near = did_you_mean(pattern.replace("*", "").replace("?", "").strip("_"), names)
    return (
        f"--only '{pattern}' matches none of the {len(files)} files{near}; it is compared with "
        f"{patterns}; * stands for anything"
    )
