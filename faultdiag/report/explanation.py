"""An explanation as text."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from faultdiag.evidence.explanation import Explanation, FrontRelevance, TimeRelevance
from faultdiag.evidence.occlusion import BandRelevance
from faultdiag.report.findings import diagnosis_words
from faultdiag.report.pages.prediction import RecordingResult
from faultdiag.report.pages.recording_charts import METHOD_NAMES

BANDS = 5
PLACES = 5
# Width of the bar of the most relevant band, in characters.
BAR = 30


def explanation_text(result: RecordingResult) -> str:
    """Return what the network looked at in a recording as a block of text."""
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
            f"{gate.gains.min():.2f} to {gate.gains.max():.2f} over {gate.gains.size} channels"
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
        f"band,\n  mean over {bands.windows} windows; {bands.fill}:"
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
