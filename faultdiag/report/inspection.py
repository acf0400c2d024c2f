"""An inspection as text and as a picture.

matplotlib takes half a second to import, so it is imported where a figure is drawn. The figure is
made without pyplot: there is no global state, and none is left open.
"""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Document
from faultdiag.errors import counted, printable
from faultdiag.evidence.families import fault_families
from faultdiag.evidence.inspection import (
    NOTHING_STATED,
    PEAKS,
    InspectOptions,
    Subject,
    open_subject,
    rate_verdict,
)
from faultdiag.evidence.peaks import (
    HIGHEST_HZ,
    LONGEST,
    LOWEST_ORDER,
    MOST_SLIP,
    SLIP,
    EnvelopePeak,
    averaged_envelope_spectra,
    envelope_peaks,
    highest_order,
    measure_envelopes,
    strongest_fault,
    too_short,
)
from faultdiag.evidence.physics import physics_verdict
from faultdiag.evidence.rate_check import StatedRate
from faultdiag.readers.base import channel_unit
from faultdiag.report.charts import FAULT_STYLES, LIGHT
from faultdiag.report.drawing import show_names_plainly
from faultdiag.report.findings import in_short
from faultdiag.signal.bearings import KnownBearing
from faultdiag.signal.dsp import Band, Spectrum, spectrum
from faultdiag.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_STATISTICS = {
    "mean": "mean",
    "standard_deviation": "std. dev.",
    "rms": "rms",
    "peak": "peak",
    "crest_factor": "crest",
    "kurtosis": "kurtosis",
    "skewness": "skewness",
    "quantisation_step": "step",
    "clipped_samples": "clipped",
}
_SIGNED = ("mean", "skewness")
MOST_NAMED = 8
_LEGEND = (
    "step: of the grid of values; clipped: samples at full scale; "
    "prominence: log10(line / median around it);\n"
    "in brackets how far a peak is from the line, and may be, in shaft rates"
)


def format_inspection(result: Document) -> str:
    """Return the result of `inspect_file` as a block of text with aligned columns."""
    result = shown(result)
    parts = [
        result["path"],
        _indented(_columns(_facts(result), left=(0, 1))),
        _indented(_columns(_statistics(result["statistics"]), left=(0,))),
        _indented(_peaks(result)),
        _indented(_LEGEND),
    ]
    parts += ["\n".join(f"  warning: {text}" for text in result["warnings"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(value: Any) -> Any:
    """Return plain values with every text in them escaped by `printable`: names are a file's."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {shown(key): shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list | tuple) else value


def _facts(result: Document) -> list[list[str]]:
    rate, rpm, check = result["sampling_rate"], result["rpm"], result["rate_check"]
    seconds = f", {result['samples'] / rate:.4g} s" if rate else ""
    turns = f" ({rpm / 60:.4g} Hz)" if rpm else ""
    verdict = check["verdict"]
    if check["suggested"] is not None:
        verdict += f", {check['suggested']:g} Hz fits"
    rows = [
        ["variables" if i == 0 else "", _variable(v)] for i, v in enumerate(result["variables"])
    ]
    rows += [
        *(
            [["class", f"{result['label']}: {_listed_facts(result['facts'])}"]]
            if "label" in result
            else []
        ),
        ["channels", ", ".join(result["channels"])],
        ["sampling rate", _known(rate, "Hz", result["sampling_rate_source"])],
        ["shaft speed", _known(rpm, "rpm", result["rpm_source"]) + turns],
        ["length", f"{counted(result['samples'], 'sample')}{seconds}"],
        ["rate check", f"{verdict}: {check['reason']}"],
    ]
    if bearing := result["bearing"]:
        orders = ", ".join(
            f"{name.upper()} {order:.3f}" for name, order in bearing["orders"].items()
        )
        rows.append(["bearing", f"{bearing['name']}: {orders} × shaft"])
    return rows


def _listed_facts(facts: Document) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)


def _variable(variable: Document) -> str:
    shape = "×".join(str(n) for n in variable["shape"])
    channel = f" -> {variable['channel']}" if variable["channel"] else ""
    return f"{variable['name']} ({shape} {variable['kind']}){channel}"


def _known(value: float | None, unit: str, source: str | None) -> str:
    return "not known" if value is None else f"{value:g} {unit} from the {source}"


def _statistics(statistics: Mapping[str, Mapping[str, float | None]]) -> list[list[str]]:
    rows = [["channel", *_STATISTICS.values()]]
    for channel, values in statistics.items():
        rows.append([channel, *(_number(values[key], key in _SIGNED) for key in _STATISTICS)])
    return rows


def _number(value: float | None, signed: bool) -> str:
    if value is None:
        return "-"
    return f"{value:+.4g}" if signed else f"{value:.4g}"


def _peaks(result: Document) -> str:
    peaks = result["envelope_peaks"]
    if not peaks:
        return ""
    rows = [["envelope", "order", "Hz", "prominence", "band, Hz", "may be"]]
    for peak in peaks:
        low, high = peak["band"]
        order = "-" if peak["order"] is None else f"{peak['order']:.3f}"
        numbers = [order, f"{peak['frequency']:.2f}", f"{peak['prominence']:.2f}"]
        rows.append(
            [
                peak["channel"],
                *numbers,
                f"{low:.0f}-{high:.0f}",
                " or ".join(map(partial(_match, peak), peak["matches"])) or "-",
            ]
        )
    return _columns(rows, left=(0, 5))


def _match(peak: Document, name: str) -> str:
    """Return a line that a peak may be, how far it is and how far it may be, in shaft rates."""
    line = next((line for line in peak.get("lines", ()) if line["name"] == name), None)
    if line is None:
        return name
    return f"{name} ({line['distance']:+.3f} of ±{line['tolerance']:.3f})"


def _columns(rows: Sequence[Sequence[str]], *, left: Sequence[int]) -> str:
    """Lay out a table, its columns as wide as their widest cell, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


BLUE, RED, GREY = LIGHT.series[0], LIGHT.alarm, LIGHT.muted
COLOURS = {name: LIGHT.series[style] for name, style in FAULT_STYLES.items()}
SHOWN_REVOLUTIONS = 8
SHOWN_SECONDS = 0.25
COLUMNS = 2000
NAMED = 8
_MARKS = (
    "dashed: BPFO outer race, BPFI inner race, even multiples of BSF ball, FTF cage; "
    f"shaded: ± {SLIP:.1%}"
)


def plot_inspection(
    path: str | os.PathLike[str],
    png: str | os.PathLike[str],
    options: InspectOptions = NOTHING_STATED,
) -> None:
    """Draw a recording's first channel, or the one named, as a PNG.

    The envelope spectrum is that of the band in which the strongest line of a fault stands out
    most, as `inspect_file` gives them; see `best_envelope`.

    Parameters
    ----------
    path
        A recording.
    png
        The file to write, whole or not at all.
    options
        See `InspectOptions`.

    Raises
    ------
    FaultdiagError
        If the recording can't be read or the picture can't be written.
    """
    subject = open_subject(path, options)
    figure = _figure(10.0, 8.6)
    grid = figure.add_gridspec(
        3, 2, hspace=0.55, wspace=0.16, left=0.085, right=0.98, top=0.885, bottom=0.06
    )
    _draw_signal(figure.add_subplot(grid[0, 0]), subject, None)
    _draw_signal(figure.add_subplot(grid[0, 1]), subject, _detail(subject))
    best = best_envelope(subject)
    _draw_spectrum(figure.add_subplot(grid[1, :]), subject, best[0] if best else None)
    if best:
        _draw_envelope(figure.add_subplot(grid[2, :]), subject, *best)
    _write_title(figure, subject)
    _save(figure, Path(png))


def best_envelope(subject: Subject) -> tuple[Band, Spectrum, EnvelopePeak | None] | None:
    """Return the band to show, its envelope spectrum, and the peak it was chosen by.

    The peak is one of those that `inspect_file` gives: the strongest that is a fault's, or else
    the strongest of all; the band is the one that shows it best. Where there is no peak, the
    band is the whole spectrum. None where no envelope spectrum can be made.
    """
    rate, rpm, bearing = subject.sampling_rate, subject.rpm, subject.bearing
    signal = subject.recording.signal[0]
    if rate is None or too_short(signal.size, rate, rpm):
        return None
    peaks = envelope_peaks(signal, rate, rpm=rpm, bearing=bearing, count=PEAKS)
    peak = strongest_fault(peaks) or next(iter(peaks), None)
    band = peak.band if peak else (0.0, rate / 2)
    envelope = averaged_envelope_spectra(signal, rate, [band])[0]
    highest = highest_order(bearing) * rpm / 60 if rpm else HIGHEST_HZ
    last = int(highest / envelope.frequencies[1]) + 1
    return band, Spectrum(*(values[:last] for values in envelope)), peak


def _detail(subject: Subject) -> int:
    """Samples of a detail: eight revolutions, or a quarter of a second, or 2000 samples."""
    if subject.sampling_rate is None:
        return COLUMNS
    seconds = SHOWN_REVOLUTIONS * 60 / subject.rpm if subject.rpm else SHOWN_SECONDS
    return max(round(seconds * subject.sampling_rate), 2)


def _draw_signal(axes: "Axes", subject: Subject, detail: int | None) -> None:
    x = subject.recording.signal[0]
    step = 1 / subject.sampling_rate if subject.sampling_rate else 1.0
    axes.set_xlabel("time in s" if subject.sampling_rate else "sample")
    if detail is None:
        title = "signal"
        axes.set_ylabel(f"amplitude\n({_unit(subject)})", fontsize=9)
        places, low = _cells(x, np.min)
        _, high = _cells(x, np.max)
        axes.fill_between(places * step, low, high, color=BLUE, linewidth=0.3)
    else:
        start = max((x.size - detail) // 2, 0)
        piece = x[start : start + detail]
        turns = subject.sampling_rate and subject.rpm
        title = f"{f'{SHOWN_REVOLUTIONS} revolutions' if turns else 'detail'} from its middle"
        axes.plot((start + np.arange(piece.size)) * step, piece, color=BLUE, linewidth=0.6)
    axes.margins(x=0)
    _plain(axes, title)


def _draw_spectrum(axes: "Axes", subject: Subject, band: Band | None) -> None:
    rate = subject.sampling_rate
    shown = spectrum(subject.recording.signal[0, :LONGEST], rate or 1.0)
    places, peaks = _cells(shown.amplitudes[1:], np.max)
    frequencies = (places + 1) * shown.frequencies[1]
    axes.plot(frequencies, peaks, color=BLUE, linewidth=0.7)
    if peaks.max() > 0:
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(float(np.percentile(peaks, 1)) / 2, float(peaks.max()) * 1e-6))
    title = "spectrum"
    if band is not None and band[1] - band[0] < 0.9 * frequencies[-1]:
        title += ", the band of the envelope shaded"
        axes.axvspan(*band, color=GREY, alpha=0.15, linewidth=0)
    axes.set_xlabel("frequency in Hz" if rate else "frequency in cycles per sample")
    axes.set_ylabel(f"amplitude\n({_unit(subject)})", fontsize=9)
    axes.margins(x=0)
    _plain(axes, title)


def _draw_envelope(
    axes: "Axes", subject: Subject, band: Band, envelope: Spectrum, peak: EnvelopePeak | None
) -> None:
    shaft = subject.rpm / 60 if subject.rpm else 1.0
    places, heights = envelope.frequencies / shaft, envelope.amplitudes
    axes.plot(places, heights, color="black", linewidth=0.8, zorder=3)
    # What lies below the cage is drift; it would set the scale.
    first = round(LOWEST_ORDER * (shaft if subject.rpm else 10) / envelope.frequencies[1])
    axes.set_ylim(0, 1.45 * float(heights[first:].max()) or 1.0)
    axes.set_xlim(0, places[-1])
    axes.set_xlabel("order: multiples of the shaft rate" if subject.rpm else "frequency in Hz")
    axes.set_ylabel(f"squared envelope\n(square of {_unit(subject)})", fontsize=9)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    why = f", where {_peak_words(peak)} stands out most" if peak else ""
    _plain(axes, f"envelope spectrum, band {band[0]:.0f} to {band[1]:.0f} Hz{why}")
    _name_highest(axes, places, np.where(np.arange(heights.size) < first, 0.0, heights))
    if subject.rpm:
        axes.set_xticks(range(int(places[-1]) + 1))
        axes.grid(axis="x", color="#cccccc", linewidth=0.6, linestyle=":")
    if subject.rpm and subject.bearing:
        _mark_orders(axes, subject.bearing)
        axes.set_xlabel(f"{axes.get_xlabel()}; {_MARKS}")


def _peak_words(peak: EnvelopePeak) -> str:
    if peak.order is None:
        return f"the line at {peak.frequency:.1f} Hz"
    name = " or ".join(peak.matches) or "the line"
    return f"{name} at order {peak.order:.2f}"


def _unit(subject: Subject) -> str:
    return channel_unit(subject.recording.channels[0]) or "unit of the file"


def _name_highest(axes: "Axes", places: NDArray[np.float64], heights: NDArray[np.float64]) -> None:
    """Write their place above the highest lines."""
    left = heights.copy()
    apart = left.size // 60 + 1
    for _ in range(NAMED):
        k = int(left.argmax())
        if left[k] < 0.1 * heights.max() or not left[k]:
            return
        name = f"{places[k]:.2f}" if places[-1] < 100 else f"{places[k]:.1f}"
        axes.text(
            places[k],
            1.01 * heights[k],
            name,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            fontsize=7,
            ha="center",
            va="bottom",
            zorder=2,
        )
        left[max(k - apart, 0) : k + apart + 1] = 0


def _mark_orders(axes: "Axes", bearing: KnownBearing) -> None:
    orders = bearing.orders
    marks: list[tuple[str, float, tuple[int, ...]]] = [
        ("BPFO", orders.bpfo, (1, 2, 3)),
        ("BPFI", orders.bpfi, (1, 2)),
        ("BSF", orders.bsf, (2, 4)),  # a spot on a ball strikes both races in a turn
        ("FTF", orders.ftf, (1,)),
    ]
    for row, (name, order, numbers) in enumerate(marks):
        for k in numbers:
            axes.axvline(k * order, color=COLOURS[name], linewidth=1, linestyle="--", zorder=1)
            near = min(SLIP * k * order, MOST_SLIP)
            place = (k * order - near, k * order + near)
            axes.axvspan(*place, color=COLOURS[name], alpha=0.15, linewidth=0, zorder=0)
            axes.text(
                k * order,
                0.98 - 0.075 * row,
                name if k == 1 else f"{k}×{name}",
                transform=axes.get_xaxis_transform(),
                color=COLOURS[name],
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                fontsize=8,
                va="top",
                ha="center",
                zorder=4,
            )


def _write_title(figure: "Figure", subject: Subject) -> None:
    recording = subject.recording
    fs = subject.sampling_rate
    length = [f"{recording.samples / fs:.1f} s"] if fs else []
    rate = f"{fs:.10g} Hz" if fs else "rate not known"
    speed = f"{subject.rpm:g} rpm" if subject.rpm else "speed not known"
    bearing = _bearing(subject.bearing)
    facts = ", ".join((f"channel {recording.channels[0]}", *length, rate, speed, bearing))
    figure.text(0.02, 0.965, f"{recording.source.name}: {facts}", fontsize=12, parse_math=False)
    check = rate_verdict(subject)
    if check["verdict"] == "contradicted":
        text = f"The sampling rate contradicts the shaft speed; {check['suggested']:g} Hz fits."
        figure.text(0.02, 0.937, text, fontsize=10, color=RED)
    else:
        figure.text(0.02, 0.937, verdict_words(subject), fontsize=10, parse_math=False)


def verdict_words(subject: Subject) -> str:
    """Return the text on the envelope of the first channel, in one line."""
    fs, rpm, bearing = subject.sampling_rate, subject.rpm, subject.bearing
    if fs is None or rpm is None or bearing is None:
        known = {"sampling rate": fs, "shaft speed": rpm, "bearing": bearing}
        missing = " and the ".join(name for name, value in known.items() if value is None)
        return f"No verdict: the {missing} must be known."
    x = subject.recording.signal[0]
    if reason := too_short(x.size, fs, rpm):
        return f"No verdict: {reason}."
    verdict = physics_verdict(x, fs, rpm, bearing)
    families = fault_families(measure_envelopes(x, fs, rpm=rpm, bearing=bearing), bearing)
    return f"Verdict of the envelope, without training: {in_short(verdict, families).words}."


def _bearing(bearing: KnownBearing | None) -> str:
    if bearing is None:
        return "bearing not known"
    kind = "fault orders" if bearing.name.startswith("stated") else "bearing"
    return f"{kind} {bearing.name}"


def _cells(
    values: NDArray[np.floating], reduce: Callable[..., NDArray[np.floating]]
) -> tuple[NDArray[np.float64], NDArray[np.floating]]:
    """Return places and values of at most 2000 columns, each reduced from equally many values."""
    width = max(-(-values.size // COLUMNS), 1)
    whole = values[: values.size // width * width].reshape(-1, width)
    return np.arange(0, whole.size, width, dtype=np.float64), reduce(whole, axis=1)


def _plain(axes: "Axes", title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10, pad=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def _save(figure: "Figure", path: Path) -> None:
    show_names_plainly(figure)
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(temporary, format="png", dpi=130)


def rate_lines(rates: Sequence[StatedRate]) -> list[str]:
    """Return how many of the rates fit, and the recordings whose rate doesn't, by name."""
    by_verdict = {
        verdict: [rate for rate in rates if rate.check.verdict == verdict]
        for verdict in ("consistent", "contradicted", "undecided")
    }
    counts = ", ".join(f"{len(group)} {verdict}" for verdict, group in by_verdict.items())
    undecided = [rate.name for rate in by_verdict["undecided"]]
    more = f" and {len(undecided) - MOST_NAMED} more" if len(undecided) > MOST_NAMED else ""
    named = f" ({', '.join(undecided[:MOST_NAMED])}{more})" if undecided else ""
    lines = [f"sampling rates against shaft orders: {counts}{named}"]
    wrong: dict[tuple[float, float | None], list[str]] = {}
    for rate in by_verdict["contradicted"]:
        wrong.setdefault((rate.rate, rate.check.suggested), []).append(rate.name)
    return lines + [
        f"RATE: stated to be sampled at {stated:g} Hz, but the shaft orders fit {fitting:g} Hz: "
        + ", ".join(names)
        for (stated, fitting), names in wrong.items()
    ]
