"""Network, window, stride and split that fit what is known of recordings."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from faultdiag.datasets.base import Entry
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, counted, listed_names, printable
from faultdiag.evidence.physics import part_of
from faultdiag.signal.bearings import get_bearing
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.within import PARTS, STRATEGIES, SplitItem, minimum_samples, part_sizes

# Seconds of a window in which fault orders are distinct, the best first.
TIED_SECONDS = (3.0, 2.0, 1.25)
# Samples of a segment of the spectra that band_net sees.
SEGMENT = 512

_TIED = (
    "the classes name parts of the bearing, and every recording's speed and bearing are known: 20 "
    "parameters that hold on other machines and bearings (predict needs --rpm and --bearing there)."
    " band_net tells the conditions of this machine apart, wdcnn is the field's baseline"
)
_BANDS = (
    "the classes are conditions of this machine: spectra in bands, which hold at other loads better"
    " than networks on raw windows. wdcnn is the field's baseline; for parts of bearings of other "
    "machines take tied_z, which needs classes that name the parts, speeds and bearings, or "
    "`faultdiag predict bearing-types`, which needs no training"
)
_SHORT = (
    f"the field's baseline: windows shorter than {SEGMENT} samples are too short for band_net, "
    "which holds better at other loads"
)

Choice = list[tuple[str, object, str]]
"""Settings of the section ``model``: name, value, comment."""


def names_parts(
    classes: Collection[str], entries: Sequence[Entry], speeds: Sequence[float | None]
) -> bool:
    """Return whether the classes are parts of bearings whose speeds and geometries are known."""
    parts = [part_of(name) for name in classes]
    usable = {"inner", "outer", "ball", "healthy"}
    if not set(parts) <= usable or len(set(parts)) < len(parts):
        return False
    return None not in speeds and all(map(_knows_bearing, entries))


def _knows_bearing(entry: Entry) -> bool:
    try:
        get_bearing(str(entry.facts.get("bearing") or ""))
    except FaultdiagError:
        return False
    return True


def choose_network(*, parts: bool, length: int, rate: float) -> Choice:
    """Return the network for windows of some samples at a rate in Hz, and why.

    Parameters
    ----------
    parts
        What `names_parts` returned.
    """
    if parts and length >= min(TIED_SECONDS) * rate:
        return [("name", "tied_z", _TIED)]
    attention = {"name": "eca", "after": [1 if length >= SEGMENT else 2], "residual": True}
    name, reason = ("band_net", _BANDS) if length >= SEGMENT else ("wdcnn", _SHORT)
    return [("name", name, reason), ("attention", attention, "")]


_USUAL = 2048
_SHORTEST = 512
_LONGEST = 8192
# Shaft revolutions in a window: a dozen passes over a fault of either race.
_REVOLUTIONS = 4
_ENOUGH_WINDOWS = 4
_FRACTIONS = ((0.7, 0.2, 0.1), (0.6, 0.2, 0.2))
# Whole recordings held out: the fewest of each class, the folds, the share to train on.
_FEWEST = 3
_FOLDS = 5
_TRAINED = 0.6
# Training windows: about this number per class, at most this number in all.
_PER_CLASS = 1000
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Window length and stride in samples, the split, and why.

    Where whole recordings are held out, ``others`` are further ways to deal them, in case the
    first leaves a class out.
    """

    length: int
    stride: int
    split: Json
    reasons: dict[str, str] = field(default_factory=dict)
    others: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class _Window:
    """The window that would be best, at a rate in Hz and the slowest shaft speed in rpm."""

    length: int
    rate: float
    rpm: float | None
    shortest: int
    name: str

    @property
    def limit(self) -> str:
        """The length of the shortest recording, in words."""
        name = f", {printable(self.name)}," if self.name else ""
        return f"the shortest recording{name} has {self.shortest} samples"

    def reason(self, length: int) -> str:
        """Return the content of a window of another length, and why it is not longer."""
        text = f"{length / self.rate:.2g} s; the shaft speed is not known"
        if self.rpm is not None:
            turn = self.rate * 60 / self.rpm
            text = f"at {self.rpm:g} rpm a shaft turn is {turn:.0f} samples: "
            text += f"{length / turn:.2g} turns"
        if length < self.length:
            text += f"; shorter, because {self.limit}"
        return text


def guess_sizes(
    lengths: Mapping[str, Sequence[float]],
    recordings: Mapping[str, int],
    rate: float,
    rpm: float | None,
    *,
    own_parts: Collection[str] = (),
    shortest: str = "",
    seconds: float | None = None,
) -> Sizes:
    """Return window, stride and split for recordings of these lengths.

    Parameters
    ----------
    lengths
        Samples at `rate` of the recordings that were read, by class.
    recordings
        How many recordings each class has.
    rate
        Hz.
    rpm
        The slowest shaft speed, or None.
    own_parts
        The parts that the user keeps in folders of their own, if any.
    shortest
        The name of the shortest recording, for messages.
    seconds
        Length of a window, if the network needs more than a few turns of the shaft.

    Raises
    ------
    FaultdiagError
        If a recording is too short for any window.
    """
    samples = int(min(min(counts) for counts in lengths.values()))
    usual = _wanted(rate, rpm) if seconds is None else round(seconds * rate)
    best = _Window(usual, rate, rpm, samples, shortest)
    # Of long windows one has to do for the test.
    enough = (_ENOUGH_WINDOWS, 1) if seconds is None else (1,)
    length, fractions, windows = _fitting(best.shortest, best.length, enough)
    if length == 0:
        return _whole_recordings(lengths, recordings, best, own_parts)
    stride, reason = _stride(lengths, recordings, fractions[0], length)
    return Sizes(
        length,
        stride,
        {"strategy": "within_recording", "fractions": list(fractions), "gap": length},
        {
            "length": best.reason(length),
            "stride": reason,
            "split": f"the shortest recording has {counted(windows, 'test window')} without "
            "overlap",
        },
    )


def _wanted(rate: float, rpm: float | None) -> int:
    if rpm is None:
        return _USUAL
    length = 1 << round(math.log2(max(_REVOLUTIONS * rate * 60 / rpm, 1)))
    return min(max(length, _SHORTEST * 2), _LONGEST)


def _fitting(
    shortest: int, wanted: int, numbers: Sequence[int]
) -> tuple[int, tuple[float, ...], int]:
    """Return the longest window with enough test windows, the first number that can be, and it."""
    for enough in numbers:
        length = wanted
        while length >= _SHORTEST:
            # Where there are few windows at all, the larger test part comes first.
            for fractions in _FRACTIONS if enough > 1 else reversed(_FRACTIONS):
                usable = shortest - 2 * length
                windows = min(part_sizes(usable, fractions)) // length if usable > 0 else 0
                if windows >= enough:
                    return length, fractions, windows
            length //= 2
    return 0, _FRACTIONS[0], 0


def _stride(
    lengths: Mapping[str, Sequence[float]],
    recordings: Mapping[str, int],
    share: float,
    length: int,
) -> tuple[int, str]:
    """Return a power of two that makes enough training windows of each class, and why.

    Parameters
    ----------
    share
        The share of all samples that are trained on.
    """
    sizes = [sum(own) / len(own) * recordings[label] * share for label, own in lengths.items()]
    target = max(min(sizes) / _PER_CLASS, sum(sizes) / _MOST, 16)
    stride = min(1 << math.ceil(math.log2(target)), length)
    fewest = min(sizes) / stride
    return stride, f"about {fewest:.0f} training windows of the smallest class, which overlap"


def _whole_recordings(
    lengths: Mapping[str, Sequence[float]],
    recordings: Mapping[str, int],
    wanted: _Window,
    own_parts: Collection[str],
) -> Sizes:
    """Return sizes for recordings too short to be cut into three: each is in one part."""
    few = sorted(label for label, count in recordings.items() if count < _FEWEST)
    if wanted.shortest < _SHORTEST or (few and not own_parts):
        raise _too_short(wanted.limit, few)
    if own_parts and "valid" not in own_parts:
        raise _no_valid(wanted.limit)
    length = min(1 << int(math.log2(wanted.shortest)), wanted.length)
    stride, reason = _stride(lengths, recordings, _TRAINED, length)
    folds = min(_FOLDS, *recordings.values())
    first, *others = (
        {"strategy": "across_recordings", "folds": folds, "fold": fold, "valid": "across"}
        for fold in range(folds)
    )
    split = (
        "the recordings are too short to be cut into three: whole ones are tested on, and others "
        f"validated on; without split.fold, `faultdiag train` trains all {folds} folds"
    )
    reasons = {"length": wanted.reason(length), "stride": reason, "split": split}
    return Sizes(length, stride, first, reasons, tuple(others))


def _too_short(limit: str, few: Sequence[str]) -> FaultdiagError:
    needed = minimum_samples(_SHORTEST, _FRACTIONS[0], _SHORTEST)
    whole = f"or {_SHORTEST} and {_FEWEST} recordings of each class to hold out whole ones"
    lacking = f" ({listed_names(few, most=5)} has fewer)" if few else ""
    return FaultdiagError(
        f"{limit}; {needed} are needed to cut each "
        f"recording into train, valid and test with windows of {_SHORTEST}, {whole}{lacking}; "
        "record longer, leave the short ones out, or join what was recorded on one machine into "
        "one file"
    )


def _no_valid(limit: str) -> FaultdiagError:
    return FaultdiagError(
        f"{limit}, too few to cut training recordings into "
        "train and valid; keep some recordings of each class in a folder named valid, or record "
        "longer"
    )


def require_trainable(items: Sequence[SplitItem], sizes: Sizes, split: Document) -> Sizes:
    """Return sizes with a split that leaves a window of each class in every part.

    Parameters
    ----------
    items
        The recordings.
    sizes
        Their sizes; the other ways to deal whole recordings are tried too.
    split
        The split section of the config.

    Raises
    ------
    FaultdiagError
        If there is none, with the reason.
    """
    problems = []
    for options in (split, *sizes.others):
        try:
            _try_split(items, sizes, options)
        except FaultdiagError as error:
            problems.append(error)
        else:
            return replace(sizes, split=dict(options))
    raise FaultdiagError(f"no config that trains was found: {problems[0]}") from problems[0]


def _try_split(items: Sequence[SplitItem], sizes: Sizes, split: Document) -> None:
    options = {name: value for name, value in split.items() if name != "strategy"}
    plan = WindowPlan(sizes.length, sizes.stride, None, sizes.length)
    made = STRATEGIES.build(split["strategy"], items, plan, 0, **options)
    for part in PARTS[:2] if split["strategy"] == "across" else PARTS:
        present = {items[s.recording].label for s in made.parts[part] if s.samples >= sizes.length}
        missing = sorted({item.label for item in items} - present)
        if missing:
            raise FaultdiagError(
                f"the {part} part has no window of {listed_names(missing, most=5)}; record longer, "
                "or more recordings of each class"
            )
