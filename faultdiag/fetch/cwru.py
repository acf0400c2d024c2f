"""CWRU's recordings at the Bearing Data Center: their names, digests, and what a folder has."""

from collections.abc import Iterator
from pathlib import Path

from faultdiag.datasets.base import git_blob_sha1
from faultdiag.datasets.cwru import Cwru, Known, catalogue, numbers_in
from faultdiag.errors import FaultdiagError
from faultdiag.fetch.transfer import Survey, Wanted

# Of 42 recordings only git's digest is known, not the length. They are 48 kHz files of at most a
# million samples in all.
MOST_BYTES = 20_000_000


class CwruSource:
    """The 161 recordings, one ``<number>.mat`` each."""

    base_url = "https://engineering.case.edu/sites/default/files/"
    licence = Cwru.licence
    citation = Cwru.citation
    patterns = (
        "the number (105), the group (normal, 12k_DE, 48k_DE, 12k_FE), the fault (IR007, B014, "
        "OR007@6, N), fault and load (IR007_0) and all three (12k_DE_OR007@6_0)"
    )

    def files(self) -> list[Wanted]:
        """Give the recordings in the order of their numbers."""
        return [_wanted(known) for known in catalogue().values()]

    def survey(self, folder: Path) -> Survey:
        """Give the recordings that lie in a folder or below it, known by their bytes.

        A file that has a recording's number in its name but other bytes blocks that recording:
        it is not replaced, and another file beside it would leave two that claim one number.

        Raises
        ------
        FaultdiagError
            If the folder or a file in it can't be read.
        """
        by_digest = {known.git_blob_sha1: known.number for known in catalogue().values()}
        present: dict[str, Path] = {}
        named: dict[str, Path] = {}
        for path in _mat_files(folder):
            number = by_digest.get(git_blob_sha1(path))
            if number is not None:
                present.setdefault(_file(number), path)
            numbers = numbers_in(path.name)
            if len(numbers) == 1 and numbers != [number]:
                named.setdefault(_file(numbers[0]), path)
        wanted = {file.file: file for file in self.files()}
        blocked = {
            name: f"{path} is there, but its {wanted[name].difference(path)}; move or delete it, "
            "then fetch again"
            for name, path in named.items()
            if name not in present and name in wanted
        }
        return Survey(present, blocked)


def _mat_files(folder: Path) -> Iterator[Path]:
    if not folder.exists():
        return
    try:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() == ".mat" and path.is_file() and not path.name.startswith("."):
                yield path
    except OSError as error:
        raise FaultdiagError(
            f"{folder} cannot be searched: {error.strerror or error}; check its permissions or "
            "choose another folder with --out"
        ) from error


def _file(number: int) -> str:
    return f"{number}.mat"


def _wanted(known: Known) -> Wanted:
    facts = known.facts
    clock = f"@{facts['clock']}" if facts["clock"] else ""
    fault = f"{facts['code']}{facts['size'] or ''}{clock}"
    loaded = f"{fault}_{facts['load_hp']}"
    return Wanted(
        file=_file(known.number),
        title=str(known),
        names=(
            *(str(known.number), _file(known.number), facts["group"]),
            *(fault, loaded, f"{facts['group']}_{loaded}"),
        ),
        algorithm="sha256" if known.sha256 else "git-blob-sha1",
        digest=known.sha256 or known.git_blob_sha1,
        length=known.bytes,
        most=known.bytes or MOST_BYTES,
    )
