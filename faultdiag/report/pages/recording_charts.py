"""The charts on the page of one recording."""

import numpy as np

from faultdiag.errors import counted
from faultdiag.evidence.details import SignalViews
from faultdiag.evidence.explanation import (
    BandRelevance,
    Explanation,
    FrontRelevance,
    Gate,
    TimeRelevance,
)
from faultdiag.evidence.gather import Evidence
from faultdiag.report.charts import (
    FAULT_NAMES,
    FAULT_STYLES,
    Chart,
    Curve,
    Level,
    Mark,
    peaks,
    waveform,
)
from faultdiag.signal.bearings import KnownBearing

METHOD_NAMES = {
    "gradient_x_input": "gradient × input",
    "integrated_gradients": "integrated gradients",
    "grad_cam": "Grad-CAM",
}
# Harmonics of the fault lines that are marked; those of a ball are even multiples of its spin.
_MARKED = {"BPFO": (1, 2, 3), "BPFI": (1, 2), "BSF": (2, 4), "FTF": (1,)}


def signal_charts(
    views: SignalViews, evidence: Evidence | None, bearing: KnownBearing | None
) -> list[Chart]:
    """Return envelope spectrum, spectrum, waveform and a detail of it."""
    unit = views.unit or "unit of the file"
    envelope = envelope_chart(views, evidence, bearing)
    return [
        *([envelope] if envelope else []),
        Chart(
            "Spectrum",
            f"Amplitude spectrum of channel {views.channel}; the band of the envelope is shaded.",
            "frequency in Hz",
            f"amplitude ({unit})",
            [peaks(views.frequencies, views.spectrum)],
            band=views.band,
            log=True,
            y_range=_above_floor(views.spectrum),
        ),
        Chart(
            "Signal",
            f"The whole recording of channel {views.channel}.",
            "time in s",
            f"amplitude ({unit})",
            [Curve(views.times, views.high, kind="area", style=1, low=views.low)],
        ),
        Chart(
            "Detail of the signal",
            f"{views.detail_times[-1] - views.detail_times[0]:.3g} s from the middle.",
            "time in s",
            f"amplitude ({unit})",
            [waveform(views.detail_times, views.detail, style=1)],
        ),
    ]


def envelope_chart(
    views: SignalViews, evidence: Evidence | None, bearing: KnownBearing | None
) -> Chart | None:
    """Return the envelope spectrum with the fault lines marked, or None without one."""
    if views.envelope is None:
        return None
    rate = views.shaft_rate
    places = views.envelope.frequencies / (rate or 1.0)
    heights = views.envelope.amplitudes
    first = max(int(np.searchsorted(places, 0.3 if rate else 2.0)), 1)
    marks = _fault_marks(bearing) if rate and bearing else []
    unit = f" ({views.unit})²" if views.unit else ""
    low, high = views.band
    return Chart(
        "Envelope spectrum",
        f"Spectrum of the squared envelope in the band {low:.0f} to {high:.0f} Hz. "
        + _seen(evidence, bool(marks)),
        "order: multiples of the shaft rate" if rate else "frequency in Hz",
        f"squared envelope{unit}",
        [peaks(places[first:], heights[first:])],
        marks=marks,
        x_range=(0.0, float(places[-1])),
        y_range=(0.0, 1.08 * float(heights[first:].max()) or 1.0),
    )


def _seen(evidence: Evidence | None, marked: bool) -> str:
    family = evidence.matched if evidence else None
    if family is None:
        return "" if marked else "No fault lines are marked: speed or bearing are not known."
    line = family.strongest
    return (
        f"The strongest family of fault lines is {family.fault} ({FAULT_NAMES[family.fault]}): "
        f"{line.name} at order {line.order:.3f}, {line.frequency:.1f} Hz."
    )


def _fault_marks(bearing: KnownBearing) -> list[Mark]:
    orders = bearing.orders
    base = {"BPFO": orders.bpfo, "BPFI": orders.bpfi, "BSF": orders.bsf, "FTF": orders.ftf}
    return [
        Mark(k * base[fault], fault if k == 1 else f"{k}×{fault}", FAULT_STYLES[fault])
        for fault, numbers in _MARKED.items()
        for k in numbers
    ]


def _above_floor(amplitudes: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    top = float(amplitudes.max()) or 1.0
    return max(float(np.percentile(amplitudes, 1)) / 2, 1e-6 * top), 1.5 * top


def explanation_charts(explanation: Explanation) -> list[Chart]:
    """Return relevance over frequency, over time, over the front end, and the gates."""
    charts = [band_chart(explanation.bands, explanation.label)]
    if explanation.time:
        charts += time_charts(explanation.time)
    if explanation.front:
        charts.append(front_chart(explanation.front))
    return [*charts, *(gate_chart(gate) for gate in explanation.gates)]


def band_chart(bands: BandRelevance, label: str) -> Chart:
    """Return how far the probability falls without each band."""
    best = int(bands.drops.argmax())
    low, high = bands.edges[best], bands.edges[best + 1]
    return Chart(
        "What the network looked at: frequency",
        f"Fall of the probability of {label} ({bands.probability:.2f}) when a band is taken out "
        f"({bands.fill}), mean over {counted(bands.windows, 'window')}. It falls most without "
        f"{low:.0f} to {high:.0f} Hz: by {bands.drops[best]:.2f}.",
        "frequency in Hz",
        "fall of the probability",
        [Curve(bands.edges, bands.drops, kind="bars", style=1)],
        x_range=(0.0, float(bands.edges[-1])),
        y_range=_with_zero(bands.drops),
    )


def time_charts(time: TimeRelevance) -> list[Chart]:
    """Return the window that is surest of the class, and the relevance of its samples."""
    times = time.start + np.arange(time.window.size) / time.fs
    charts = [
        Chart(
            "What the network looked at: time",
            "The window that is surest of the class, as the network saw it.",
            "time in s",
            "normalised",
            [waveform(times, time.window, style=1)],
        )
    ]
    for method, values in time.methods.items():
        scale = float(np.abs(values).max()) or 1.0
        charts.append(
            Chart(
                f"Relevance of its samples, {METHOD_NAMES.get(method, method)}",
                "Positive values speak for the class, negative ones against it.",
                "time in s",
                "share of the largest",
                [waveform(times, values / scale)],
                y_range=(-1.05 if values.min() < 0 else 0.0, 1.05),
            )
        )
    return charts


def front_chart(front: FrontRelevance) -> Chart:
    """Return the relevance of what the front end gives."""
    scale = float(np.abs(front.values).max()) or 1.0
    return Chart(
        f"What the network looked at: {front.axis}",
        "Gradient × input of what the front end gives, mean over the windows.",
        front.axis,
        "share of the largest",
        [peaks(front.places, front.values / scale)],
        y_range=(-1.05, 1.05),
    )


def gate_chart(gate: Gate) -> Chart:
    """Return a chart of an attention block's gain for each channel."""
    return Chart(
        f"Attention: {gate.block} ({gate.place})",
        "Factor from the block's input to its output, mean over the windows: "
        f"{gate.gains.min():.2f} to {gate.gains.max():.2f} over "
        f"{counted(gate.gains.size, 'channel')}.",
        "channel",
        "gain",
        [Curve(np.arange(0.5, gate.gains.size + 1), gate.gains, kind="bars", style=1)],
        levels=[Level(1.0, "unchanged")] if gate.gains.max() > 0.8 else [],
        y_range=(min(0.0, float(gate.gains.min())), 1.1 * max(float(gate.gains.max()), 0.1)),
    )


def _with_zero(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = 0.05 * (high - low) or 0.05
    return (low - room if low < 0 else 0.0), high + room
