"""The meaning of a diagnosis, its evidence and its explanation for the person who decides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import counted
from faultdiag.evidence.explanation import BandRelevance, Explanation, FrontRelevance, TimeRelevance
from faultdiag.evidence.families import FaultFamily
from faultdiag.evidence.gather import Evidence
from faultdiag.evidence.physics import (
    FAULT_LINES,
    THRESHOLD,
    Agreement,
    Part,
    PhysicsVerdict,
    part_of,
)
from faultdiag.prediction.rows import Row
from faultdiag.report.charts import FAULT_NAMES
from faultdiag.report.pages.recording_charts import METHOD_NAMES

if TYPE_CHECKING:
    from faultdiag.report.pages.prediction import RecordingResult

# A diagnosis with less confidence than this is called unsure.
SURE = 0.7
MOST_LISTED = 10

PART_NAMES: dict[Part, str] = {
    "inner": "inner race",
    "outer": "outer race",
    "ball": "ball",
    "cage": "cage",
    "healthy": "healthy",
}


class Rank(IntEnum):
    """Urgency of a recording, the most urgent first."""

    CONFIRMED = 1
    CONTRADICTED = 2
    UNCONFIRMED = 3
    NOVEL = 4
    UNSURE = 5
    NO_FINDING = 6
    NOT_DIAGNOSED = 7


STATES: dict[Rank, tuple[str, str]] = {
    Rank.CONFIRMED: ("fault, confirmed", "alarm"),
    Rank.CONTRADICTED: ("network and envelope disagree", "alarm"),
    Rank.UNCONFIRMED: ("fault, not confirmed", "caution"),
    Rank.NOVEL: ("unlike the training data", "caution"),
    Rank.UNSURE: ("unsure", "caution"),
    Rank.NO_FINDING: ("no finding", "good"),
    Rank.NOT_DIAGNOSED: ("not diagnosed", "caution"),
}
# After a number of recordings, in a sentence.
COUNTED: dict[Rank, str] = {
    Rank.CONFIRMED: "with a confirmed fault",
    Rank.CONTRADICTED: "where network and envelope disagree",
    Rank.UNCONFIRMED: "with an unconfirmed fault",
    Rank.NOVEL: "unlike the training data",
    Rank.UNSURE: "unsure",
}
# Advice on recordings of each rank.
ADVICE: dict[Rank, str] = {
    Rank.CONFIRMED: "The network and the envelope of the signal, which needs no training, name the "
    "same part. Plan an inspection of these bearings.",
    Rank.CONTRADICTED: "The network and the envelope name different parts, so one of them is "
    "wrong. Check shaft speed, bearing and sampling rate, then measure again before you decide. "
    "Don't take such a bearing for healthy.",
    Rank.UNCONFIRMED: "Only the network sees a fault. Where the envelope could not be compared, "
    "give shaft speed and bearing (--rpm, --bearing). Where it has no signature, measure again and "
    "compare with a recording of the same bearing when it was healthy.",
    Rank.NOVEL: "The network has seen nothing like these in training, so its diagnosis may be "
    "wrong whatever its confidence. Check the sensor, its mounting and the machine first.",
    Rank.UNSURE: "The network leans towards healthy and can't decide. Measure again: longer, or at "
    "another load or speed.",
}


# By whether the class is a healthy one.
_NO_SIGNATURE = {
    True: "No bearing signature: the network found too little evidence for any part.",
    False: "No bearing signature: the network found too little evidence for any part, so the class "
    "is little more than a guess.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The meaning of a recording's diagnosis.

    Parameters
    ----------
    rank
        How soon it needs a look.
    reasons
        Why, in sentences.
    """

    rank: Rank
    reasons: tuple[str, ...]

    @property
    def state(self) -> str:
        """The rank in words."""
        return STATES[self.rank][0]

    @property
    def tone(self) -> str:
        """``alarm``, ``caution`` or ``good``."""
        return STATES[self.rank][1]

    @property
    def advice(self) -> str:
        """Advice; empty if there is nothing to do."""
        return ADVICE.get(self.rank, "")

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should look at the recording."""
        return self.rank < Rank.NO_FINDING


@dataclass(frozen=True, slots=True)
class EnvelopeSummary:
    """Summary of the envelope.

    Parameters
    ----------
    part
        The part of the bearing that physics names; None without a signature.
    score, threshold
        The largest score, and what makes a signature; None where nothing could be compared.
    harmonics, sidebands
        Numbers of harmonics and sidebands of that part's fault lines.
    agreement
        With the network.
    """

    part: Part | None
    score: float | None
    harmonics: int
    sidebands: int
    agreement: Agreement
    threshold: float = THRESHOLD

    @property
    def words(self) -> str:
        """The summary as text: ``outer race, 4 harmonics of BPFO``."""
        if self.score is None:
            return "not compared (see what is missing)"
        if self.part is None:
            return (
                f"no bearing signature (largest score {self.score:.1f}, below {self.threshold:g})"
            )
        fault = FAULT_LINES[self.part]
        name = FAULT_NAMES[fault]
        if not self.harmonics:
            return f"{name} (score {self.score:.1f})"
        lines = f"{self.harmonics} harmonic{'s' if self.harmonics != 1 else ''} of {fault}"
        return f"{name}, {lines}" + (f" with {self.sidebands} sidebands" if self.sidebands else "")


def summarise(evidence: Evidence) -> EnvelopeSummary:
    """Return the evidence of a recording in short."""
    if evidence.physics is None:
        return EnvelopeSummary(None, None, 0, 0, evidence.agreement)
    return in_short(evidence.physics, evidence.families, evidence.agreement)


def in_short(
    physics: PhysicsVerdict, families: Sequence[FaultFamily], agreement: Agreement = "unknown"
) -> EnvelopeSummary:
    """Return the verdict of physics with the lines of the part that it names."""
    fault = FAULT_LINES[physics.part] if physics.part else None
    family = next((f for f in families if f.fault == fault), None)
    return EnvelopeSummary(
        physics.part,
        physics.score,
        len(family.lines) if family else 0,
        family.sidebands if family else 0,
        agreement,
        physics.threshold,
    )


def finding(
    label: str,
    confidence: float,
    *,
    healthy: bool,
    probabilities: Mapping[str, float] | None = None,
    novelty: float | None = None,
    signature: str | None = None,
    envelope: EnvelopeSummary | None = None,
) -> Finding:
    """Rank a diagnosis and say why.

    Parameters
    ----------
    label, confidence
        The diagnosis.
    healthy
        Whether the class is a healthy one.
    probabilities
        Probabilities of all classes, to name the next one if the confidence is low.
    novelty
        Above 1 where the recording is unlike the training data.
    signature
        Whether the network found the signature of a bearing fault: ``yes``, ``no`` or None.
    envelope
        What the envelope says, compared with the diagnosis already.
    """
    reasons = [f"{diagnosis_words(label, confidence, envelope)}."]
    if signature == "no":
        reasons.append(_NO_SIGNATURE[healthy])
    novel = novelty is not None and novelty > 1
    if novel:
        reasons.append(
            f"Unlike the training data (novelty {novelty:.2g}, above 1): the diagnosis may be "
            "wrong whatever its confidence."
        )
    if confidence < SURE:
        reasons.append(f"The confidence is below {SURE:g}{_next(label, probabilities or {})}.")
    agreement = envelope.agreement if envelope else "unknown"
    if agreement == "disagrees":
        return Finding(Rank.CONTRADICTED, tuple(reasons))
    if agreement == "agrees" and not healthy:
        return Finding(Rank.CONFIRMED, tuple(reasons))
    return Finding(_unconfirmed(healthy, novel, confidence), tuple(reasons))


def _next(label: str, probabilities: Mapping[str, float]) -> str:
    """Return the most probable class after the diagnosed one, in words."""
    others = {name: share for name, share in probabilities.items() if name != label}
    if not others:
        return ""
    name = max(others, key=lambda other: others[other])
    return f"; next is {name}, {others[name]:.2f}"


def _unconfirmed(healthy: bool, novel: bool, confidence: float) -> Rank:
    if novel:
        return Rank.NOVEL
    if not healthy:
        return Rank.UNCONFIRMED
    return Rank.UNSURE if confidence < SURE else Rank.NO_FINDING


def diagnosis_words(label: str, confidence: float, envelope: EnvelopeSummary | None) -> str:
    """Return the diagnosis and what the envelope says, in one line.

    For example ``network: inner race (IR007), 0.93; envelope: outer race, 4 harmonics of BPFO``.
    """
    part = part_of(label)
    name = PART_NAMES[part] if part else label
    # "inner race (inner)" says nothing more than "inner race".
    code = "" if name.startswith(label.lower()) else f" ({label})"
    network = f"network: {name}{code}, {confidence:.2f}"
    return f"{network}; envelope: {envelope.words}" if envelope else network


class Disagreements:
    """The recordings of a prediction whose network and envelope name different parts."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._count = 0

    def add(self, row: Row) -> None:
        """Note a row if it is one of them."""
        evidence = row.evidence
        if evidence is None or evidence.agreement != "disagrees" or row.label is None:
            return
        self._count += 1
        if len(self._lines) < MOST_LISTED:
            words = diagnosis_words(row.label, row.confidence or 0.0, summarise(evidence))
            self._lines.append(f"  {row.path}: {words}")

    def text(self) -> str:
        """Return how many there are and the first of them; nothing where there are none."""
        if not self._count:
            return ""
        more = self._count - len(self._lines)
        rest = [f"  and {more} more: evidence_agreement is 'disagrees'"] if more else []
        recordings = counted(self._count, "recording")
        head = f"network and envelope disagree on {recordings}:"
        return "\n".join([head, *self._lines, *rest])


BANDS = 5
PLACES = 5
# Width of the bar of the most relevant band, in characters.
BAR = 30


def explanation_text(result: "RecordingResult") -> str:
    """Return an explanation of a diagnosis as a block of text."""
    explanation = result.explanation
    if explanation is None:
        return ""
    words = diagnosis_words(result.label or "", result.confidence or 0.0, result.envelope_summary)
    parts = [f"{result.path}\n  {words}", *_parts(explanation)]
    missing = explanation.missing
    parts += ["\n".join(f"  missing: {text}" for text in missing)] if missing else []
    return "\n\n".join(parts) + "\n"


def _parts(explanation: Explanation) -> Iterator[str]:
    yield _bands(explanation.bands, explanation.label)
    if explanation.time is not None:
        yield _time(explanation.time)
    if explanation.front is not None:
        yield _front(explanation.front)
    if explanation.gates:
        lines = [
            f"    {gate.block} ({gate.place}): mean {gate.gains.mean():.2f}, "
            f"{gate.gains.min():.2f} to {gate.gains.max():.2f} over "
            f"{counted(gate.gains.size, 'channel')}"
            for gate in explanation.gates
        ]
        yield "\n".join(["  attention, gain of each channel, mean over windows:", *lines])


def _bands(bands: BandRelevance, label: str) -> str:
    order = np.argsort(-bands.drops)[:BANDS]
    largest = max(float(bands.drops.max()), 1e-12)
    lines = [
        f"    {bands.edges[i]:6.0f} - {bands.edges[i + 1]:6.0f} Hz  {bands.drops[i]:+.3f}  "
        + "#" * round(BAR * max(float(bands.drops[i]), 0.0) / largest)
        for i in order.tolist()
    ]
    head = (
        f"  frequency: fall of the probability of {label} ({bands.probability:.3f}) without a "
        f"band,\n  mean over {counted(bands.windows, 'window')}; {bands.fill}:"
    )
    return "\n".join([head, *lines])


def _time(time: TimeRelevance) -> str:
    seconds = time.window.size / time.fs
    head = (
        f"  time: the window from {time.start:.3f} to {time.start + seconds:.3f} s; its most "
        "relevant samples:"
    )
    lines = []
    for method, values in time.methods.items():
        times = ", ".join(f"{time.start + k / time.fs:.4f} s" for k in _highest(np.abs(values)))
        lines.append(f"    {METHOD_NAMES.get(method, method)}: {times}")
    return "\n".join([head, *lines])


def _highest(values: NDArray[np.float64]) -> list[int]:
    """Return the places of the highest values, each a fiftieth of all places from the others."""
    left, apart = values.copy(), values.size // 50 + 1
    places = []
    for _ in range(PLACES):
        k = int(left.argmax())
        if left[k] <= 0:
            break
        places.append(k)
        left[max(k - apart, 0) : k + apart + 1] = 0
    return sorted(places)


def _front(front: FrontRelevance) -> str:
    places = _highest(np.abs(front.values))
    named = ", ".join(f"{front.places[k]:.2f} ({front.values[k]:+.3g})" for k in places)
    return f"  {front.axis}, gradient × input of what the front end gives:\n    {named}"
