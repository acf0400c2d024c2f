"""Common parts of datasets: entries, digests, listings of files, and selecting rows by facts."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Protocol, TypeAlias

from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, did_you_mean, unknown
from faultdiag.readers.read import SUFFIXES, is_recording, packages_left_out
from faultdiag.signal.recording import Recording
from faultdiag.system.terminal import keep_in_one_line


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording of a dataset, found but not read.

    Parameters
    ----------
    path
        Its file.
    facts
        What the dataset says of it: fault, size, load and so on.
    sampling_rate
        Hz, or None where only the file or another catalogue may state it.
    rpm
        Shaft speed where the file states none, or None.
    name
        Short and stable, for reports: ``"97"``.
    channels
        The file's own channels that take the parts of those asked for, in their order; empty
        where they go by the names asked for.
    any_channel
        Whether a file that has as many channels as asked for may call them anything.
    columns
        Documented name of a channel -> its index among the file's own channels, from the end if
        negative; for files that don't name their channels.
    rate_place, rpm_place
        Where the user wrote rate and speed, such as ``data.recorded_at``; empty where the
        dataset's own catalogue states them.
    override_rate
        Whether the user's rate and speed win over those of the file or a catalogue.
    rows
        What reads the recording where it is not a whole file, but windows in one; None else.
    """

    path: Path
    facts: Mapping[str, object]
    sampling_rate: float | None
    rpm: float | None
    name: str
    channels: tuple[str, ...] = ()
    any_channel: bool = False
    columns: Mapping[str, int] = field(default_factory=dict)
    rate_place: str = ""
    rpm_place: str = ""
    override_rate: bool = False
    rows: "PartOfFile | None" = None


class PartOfFile(Protocol):
    """Windows in a file that are taken for one recording."""

    @property
    def channels(self) -> Sequence[str]:
        """Names of their channels."""

    def recording(self, entry: Entry, channels: Sequence[str]) -> Recording:
        """Return them as a recording with these channels."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The recordings selected; in words, those that should be there and are not, and the rest.

    ``missing`` are recordings; ``notes`` are sentences on what else the reader must know, such
    as files that were left out.
    """

    entries: list[Entry]
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Dataset(Protocol):
    """A folder of recordings and a way to know their facts.

    Built from the folder; everything else are keyword-only options, which are written in the
    config's section ``data``. ``label`` is the pattern of the classes unless the config has one.
    """

    licence: str
    citation: str
    label: str

    @property
    def facts(self) -> Mapping[str, Sequence[object]]:
        """The facts that recordings can be selected by, with the values each one takes."""

    def entries(self, select: Mapping[str, Sequence[object]]) -> Selection:
        """Return the recordings whose facts have one of the values allowed for each."""


class _StrictSchema:
    """The check of an option by pydantic, which is imported only when a config is checked.

    Parameters
    ----------
    kind
        The name of a schema of pydantic's core: ``float``, ``bool``.
    limits
        Its limits.
    """

    def __init__(self, kind: str, **limits: float) -> None:
        self._kind = kind
        self._limits = limits

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> dict[str, object]:
        """Return the schema that pydantic asks for."""
        del source, handler
        return {"type": self._kind, "strict": True, **self._limits}


Positive = Annotated[float, _StrictSchema("float", gt=0, allow_inf_nan=False)]
Flag = Annotated[bool, _StrictSchema("bool")]


class OwnRecordings:
    """The user's own recordings: the base of the datasets whose rate and speed the user states.

    Parameters
    ----------
    root
        The folder, or the file that lists them.
    recorded_at, rpm
        Sampling rate in Hz and shaft speed of recordings that nothing else states them of.
    override_rate
        Whether these win over a file or a catalogue that states others.
    """

    licence = "that of the recordings, which are the user's own"
    label = "{label}"

    def __init__(
        self, root: Path, recorded_at: float | None, rpm: float | None, override_rate: bool
    ) -> None:
        self.root = Path(root)
        self._recorded_at = recorded_at
        self._rpm = rpm
        self._override_rate = override_rate


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal.

    Raises
    ------
    FaultdiagError
        If the file can't be read.
    """
    return _digest(path, lambda _: hashlib.sha256())


def git_blob_sha1(path: Path) -> str:
    r"""Return the name that git gives a file's bytes: SHA-1 of ``blob <length>\0`` and the bytes.

    Raises
    ------
    FaultdiagError
        As `sha256`.
    """
    return _digest(path, lambda n: hashlib.sha1(b"blob %d\0" % n, usedforsecurity=False))


def _digest(path: Path, begin: "Callable[[int], hashlib._Hash]") -> str:
    """Return the digest of a file; `begin` makes it from the length of the file."""
    try:
        with path.open("rb") as file:
            digest = begin(path.stat().st_size)
            return hashlib.file_digest(file, lambda: digest).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> FaultdiagError:
    return FaultdiagError(
        f"{path} cannot be read: {error.strerror or error}; check its permissions and its disk"
    )


_MOST_NAMED = 5


def find_recordings(root: Path, suffixes: Collection[str] = SUFFIXES) -> list[str]:
    """Return the files in a folder and below it that end in one of these suffixes, in order.

    Paths are relative to the folder, with ``/`` between their parts. Where all formats are
    wanted, files of other suffixes or none are judged by their content. Hidden files and folders
    are left out: macOS leaves a ``._a.mat`` beside a.mat. Links to folders are followed, each
    folder once.

    Raises
    ------
    FaultdiagError
        If the folder is missing, can't be searched or holds no such file.
    """
    if not root.exists():
        raise FaultdiagError(f"{root} does not exist; it should be the folder of the recordings")
    if not root.is_dir():
        raise FaultdiagError(f"{root} is a file; name the folder of the recordings")
    names = _visible_files(root)
    known = tuple(suffixes)
    # Only where any format will do are files of unknown suffixes opened.
    by_content = known == SUFFIXES
    files = sorted(
        name
        for name in names
        if name.lower().endswith(known) or (by_content and is_recording(root / name))
    )
    if not files:
        paths = [root / name for name in names]
        raise FaultdiagError(
            f"{root} holds no recording; looked for files that end in: {', '.join(suffixes)}; "
            + "; ".join([f"it holds: {some(names)}", *packages_left_out(root, paths)])
        )
    return files


def find_others(root: Path, recordings: Collection[str]) -> list[str]:
    """Return the visible files in a folder and below it that are no recordings, in order."""
    return sorted(set(_visible_files(root)).difference(recordings))


def _visible_files(root: Path) -> list[str]:
    names: list[str] = []
    seen: set[Path] = set()
    for folder, inside, files in os.walk(root, followlinks=True, onerror=_refuse):
        place = Path(folder).resolve()
        inside[:] = [] if place in seen else sorted(n for n in inside if not n.startswith("."))
        if place in seen:
            continue
        seen.add(place)
        relative = Path(folder).relative_to(root).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        names += [prefix + name for name in files if not name.startswith(".")]
    keep_in_one_line(names)
    return names


def _refuse(error: OSError) -> None:
    raise FaultdiagError(
        f"{error.filename} cannot be searched: {error.strerror or error}; check its permissions"
    ) from error


def short_names(paths: Sequence[str]) -> list[str]:
    """Return a distinct name for each path: without its suffix where that leaves it the only one.

    Examples
    --------
    >>> short_names(["IR/1.mat", "N/1.mat", "N/2.mat", "N/2.csv"])
    ['IR/1', 'N/1', 'N/2.mat', 'N/2.csv']
    """
    # A hundred thousand paths are met here: text is ten times as fast as `Path`.
    parts = [(path, *path.rpartition(".")) for path in paths]
    stems = [path if not dot or "/" in end else stem for path, stem, dot, end in parts]
    count = Counter(stems)
    return [stem if count[stem] == 1 else path for stem, path in zip(stems, paths, strict=True)]


def some(names: Iterable[str]) -> str:
    """Return the first few of several names as text, and that there are more.

    Examples
    --------
    >>> some("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    every = list(names)
    more = f" and {len(every) - _MOST_NAMED} more" if len(every) > _MOST_NAMED else ""
    return (", ".join(islice(every, _MOST_NAMED)) or "nothing") + more


Facts: TypeAlias = Document

_MOST_SHOWN = 12


def values_of(rows: Sequence[Facts]) -> dict[str, tuple[object, ...]]:
    """Return each fact with the values it takes in these rows, None first, then in order.

    Examples
    --------
    >>> values_of([{"size": "014"}, {"size": None}, {"size": "007"}, {"size": "014"}])
    {'size': (None, '007', '014')}
    """
    names = dict.fromkeys(name for row in rows for name in row)
    values_by_name = {name: {row.get(name) for row in rows} for name in names}
    return {name: tuple(sorted(values, key=_order)) for name, values in values_by_name.items()}


def choose(rows: Sequence[Facts], select: Mapping[str, Sequence[object]]) -> list[Facts]:
    """Return the rows whose facts have one of the allowed values, for every fact in `select`.

    None is the value of a row that lacks the fact. ``"3"`` is taken for 3 and 6205 for
    ``"6205"``, but 7 not for ``"007"``: YAML reads an unquoted 007 as a number.

    Raises
    ------
    FaultdiagError
        If a fact or a value is unknown, all of them reported at once, or if nothing is left.

    Examples
    --------
    >>> rows = [{"number": 97, "size": None}, {"number": 105, "size": "007"}]
    >>> choose(rows, {"size": ["007", "014"]})
    Traceback (most recent call last):
    ...
    faultdiag.errors.FaultdiagError: select.size: no recording has "014"; there are: null, "007"
    >>> choose(rows, {"size": ["007"]})
    [{'number': 105, 'size': '007'}]
    """
    known = values_of(rows)
    problems: list[str] = []
    allowed: dict[str, list[object]] = {}
    for name, values in select.items():
        if name in known:
            allowed[name] = _allowed(name, values, known[name], problems)
        else:
            problems.append(f"select.{name}: {unknown('fact', name, known)}")
    if problems:
        raise FaultdiagError("\n".join(problems))
    return _filtered(rows, allowed)


def select_entries(entries: Sequence[Entry], select: Mapping[str, Sequence[object]]) -> list[Entry]:
    """Return the entries whose facts have one of the allowed values; see `choose`.

    Raises
    ------
    FaultdiagError
        As `choose`.
    """
    chosen = {id(row) for row in choose([entry.facts for entry in entries], select)}
    return [entry for entry in entries if id(entry.facts) in chosen]


def _filtered(rows: Sequence[Facts], allowed: Mapping[str, Sequence[object]]) -> list[Facts]:
    left = list(rows)
    before: list[str] = []
    for name, values in allowed.items():
        kept = [row for row in left if row.get(name) in values]
        condition = f"{name} [{_shown(values)}]"
        if not kept:
            having = f" with {' and '.join(before)}" if before else ""
            raise FaultdiagError(
                f"select leaves no recording: of the {len(left)}{having} none has {condition}; "
                f"they have: {_shown(values_of(left).get(name, ()))}"
            )
        left = kept
        before.append(condition)
    return left


def _allowed(
    name: str, values: object, known: Sequence[object], problems: list[str]
) -> list[object]:
    given = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else None
    matched = []
    for value in [values] if given is None else given:
        same = [k for k in known if _same(value, k)]
        matched += same
        if not same:
            problems.append(f"select.{name}: {_complaint(value, known)}")
    if given == []:
        problems.append(f"select.{name} is empty; name at least one of: {_shown(known)}")
    return matched


def match_value(value: object, known: Sequence[object]) -> object:
    """Return the known value that is meant, in the type it has there.

    Raises
    ------
    FaultdiagError
        If there is none; the message has the nearest, or all.

    Examples
    --------
    >>> match_value("3", [0, 1, 2, 3])
    3
    """
    for candidate in known:
        if _same(value, candidate):
            return candidate
    raise FaultdiagError(_complaint(value, known))


def _same(value: object, known: object) -> bool:
    if value is None or known is None or isinstance(value, bool) or isinstance(known, bool):
        return value is known
    if isinstance(value, str) != isinstance(known, str):
        return str(value) == str(known)
    return value == known


def _complaint(value: object, known: Sequence[object]) -> str:
    texts = [k for k in known if isinstance(k, str)]
    if isinstance(value, int):
        meant = [text for text in texts if value in _read_as(text)]
        if meant:
            quoted = " or ".join(f'"{text}"' for text in meant)
            return f"{value} is a number and the values are text; write {quoted} in quotes"
    near = did_you_mean(value, texts) if isinstance(value, str) else ""
    return f"no recording has {_shown([value])}{near}; there are: {_shown(known)}"


def _read_as(text: str) -> set[int]:
    """Return the numbers that YAML makes of an unquoted text: 021 is 21, in YAML 1.1 octal 17."""
    numbers = {int(text)} if text.isdecimal() else set()
    if text.isdecimal() and text.startswith("0") and not set(text) & set("89"):
        numbers.add(int(text, 8))
    return numbers


def _shown(values: Sequence[object]) -> str:
    words = ["null" if v is None else f'"{v}"' if isinstance(v, str) else str(v) for v in values]
    return ", ".join(words[:_MOST_SHOWN]) + (", …" if len(words) > _MOST_SHOWN else "")


def _order(value: object) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))
