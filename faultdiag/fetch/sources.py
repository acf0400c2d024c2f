"""The files of public datasets: where to get them, and which of them a folder has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from faultdiag.datasets.base import sha256
from faultdiag.datasets.cwru import Cwru, Known, catalogue, numbers_in
from faultdiag.datasets.identify import published_sets
from faultdiag.datasets.published import PublishedSet, without_suffix
from faultdiag.errors import FaultdiagError, did_you_mean, unknown

PART = ".part"
"""Suffix of a file while it is being downloaded."""
_CWRU_ADDRESS = "https://engineering.case.edu/sites/default/files"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that can be fetched.

    Parameters
    ----------
    file
        Its path in the folder, and below the address of a mirror.
    title
        What it is, in words.
    names
        Names that a pattern of ``--only`` may match.
    length, sha256
        Size in bytes, and the digest of the bytes.
    url
        Its public address; empty if none is known.
    """

    file: str
    title: str
    names: tuple[str, ...]
    length: int
    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset that can be fetched.

    Parameters
    ----------
    title
        Its name, in words.
    files
        All files whose digests are known.
    licence, citation
        As the publisher states them.
    place
        The publisher's page.
    patterns
        Help on the patterns of ``--only``, with examples.
    named
        From the path of a file in a folder to the file of the dataset that its name means, or
        None.
    """

    title: str
    files: Sequence[RemoteFile]
    licence: str
    citation: str
    place: str
    patterns: str
    named: Callable[[str], str | None]

    def survey(self, folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
        """Return the files that a folder has, and those that a file with other bytes blocks.

        A file is known by its bytes, whatever it is called. One that has the name of a file and
        other bytes blocks that file: it is not replaced, and a second one beside it would leave
        two recordings of one name.

        Raises
        ------
        FaultdiagError
            If the folder or a file in it can't be read.
        """
        lengths = {file.length for file in self.files}
        by_digest = {file.sha256: file.file for file in self.files}
        present: dict[str, Path] = {}
        blocked: dict[str, Path] = {}
        for path in _visible_files(folder):
            own = by_digest.get(sha256(path)) if path.stat().st_size in lengths else None
            meant = self.named(path.relative_to(folder).as_posix())
            if own is not None:
                present.setdefault(own, path)
            if meant is not None and meant != own:
                blocked.setdefault(meant, path)
        for file in present:
            blocked.pop(file, None)
        return present, blocked


def _visible_files(folder: Path) -> Iterator[Path]:
    """Iterate over the files in a folder and below it, without those of downloads."""
    try:
        for path in sorted(folder.rglob("*")) if folder.exists() else ():
            if path.is_file() and path.suffix != PART and not path.name.startswith("."):
                yield path
    except OSError as error:
        raise FaultdiagError(
            f"{folder} cannot be searched: {error.strerror or error}; check its permissions or "
            "choose another folder with --out"
        ) from error


def source_of(name: str) -> Source:
    """Return the source of a public dataset.

    Raises
    ------
    FaultdiagError
        If the name is not one of these.
    """
    if name == "cwru":
        return _cwru()
    sets = published_sets()
    if name not in sets:
        raise unknown("dataset to fetch", name, ["cwru", *sets])
    return _published(sets[name])


def choose_files(
    files: Sequence[RemoteFile], only: Sequence[str], patterns: str
) -> list[RemoteFile]:
    """Return the files with a name that matches one of the patterns; all for no pattern.

    ``*`` matches anything, ``?`` one character and ``[12]`` one of these; case is ignored. A
    pattern must match the whole of a name.

    Raises
    ------
    FaultdiagError
        If patterns match nothing; the message lists them.
    """
    matched = [{file.file for file in files if _matches(file, pattern)} for pattern in only]
    problems = [
        _no_match(pattern, files, patterns)
        for pattern, names in zip(only, matched, strict=True)
        if not names
    ]
    if problems:
        raise FaultdiagError("\n".join(problems))
    chosen = set().union(*matched)
    return [file for file in files if not only or file.file in chosen]


def _matches(file: RemoteFile, pattern: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.strip().lower()) for name in file.names)


def _no_match(pattern: str, files: Sequence[RemoteFile], patterns: str) -> str:
    names = dict.fromkeys(name for file in files for name in file.names)
    near = did_you_mean(pattern.replace("*", "").replace("?", "").strip("_"), names)
    return (
        f"--only '{pattern}' matches none of the {len(files)} files{near}; it is compared with "
        f"{patterns}; * stands for anything"
    )


def _cwru() -> Source:
    return Source(
        title="CWRU",
        files=[_recording(known) for known in catalogue().values()],
        licence=Cwru.licence,
        citation=Cwru.citation,
        place="https://engineering.case.edu/bearingdatacenter",
        patterns=(
            "the number (105), the group (normal, 12k_DE, 48k_DE, 12k_FE), the fault (IR007, "
            "B014, OR007@6, N), fault and load (IR007_0) and all three (12k_DE_OR007@6_0)"
        ),
        named=_named_recording,
    )


def _recording(known: Known) -> RemoteFile:
    facts = known.facts
    file = f"{known.number}.mat"
    clock = f"@{facts['clock']}" if facts["clock"] else ""
    fault = f"{facts['code']}{facts['size'] or ''}{clock}"
    loaded = f"{fault}_{facts['load_hp']}"
    return RemoteFile(
        file=file,
        title=str(known),
        names=(
            *(str(known.number), file, facts["group"]),
            *(fault, loaded, f"{facts['group']}_{loaded}"),
        ),
        length=known.bytes,
        sha256=known.sha256,
        url=f"{_CWRU_ADDRESS}/{file}",
    )


def _named_recording(path: str) -> str | None:
    numbers = numbers_in(path) if path.lower().endswith(".mat") else []
    return f"{numbers[0]}.mat" if len(numbers) == 1 else None


def _published(known: PublishedSet) -> Source:
    # Of a set that is distributed in archives nobody has the single files.
    files = [file for file in known.files if file.is_archive] or known.files
    by_meaning = {_meaning(known, file.file): file.file for file in files}
    return Source(
        title=known.title,
        files=[
            RemoteFile(
                file=file.file,
                title=file.file,
                names=(file.file, Path(file.file).name, without_suffix(Path(file.file).name)),
                length=file.length,
                sha256=file.sha256,
                url=file.url,
            )
            for file in files
        ],
        licence=known.licence,
        citation=known.citation,
        place=known.source,
        patterns=f"their names, such as {Path(files[0].file).name}",
        named=lambda path: by_meaning.get(_meaning(known, path)),
    )


def _meaning(known: PublishedSet, path: str) -> tuple[str, str]:
    """Return the recording that a path means and its suffix, or the name of another file."""
    recordings = known.parse(without_suffix(path))
    name = Path(path).name
    return (recordings[0]["name"], Path(path).suffix.lower()) if recordings else (name, "")
