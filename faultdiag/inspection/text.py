"""The result of an inspection as text for people."""

from collections.abc import Mapping, Sequence
from typing import Any

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
_LEGEND = (
    "step: of the grid of values; clipped: samples at full scale; "
    "prominence: log10(line / median around it)"
)


def format_inspection(result: Mapping[str, Any]) -> str:
    """Give the result of `inspect_file` as a block of text with aligned columns."""
    parts = [
        result["path"],
        _indented(_columns(_facts(result), left=(0, 1))),
        _indented(_columns(_statistics(result["statistics"]), left=(0,))),
        _indented(_peaks(result)),
        _indented(_LEGEND),
    ]
    parts += ["\n".join(f"  warning: {text}" for text in result["warnings"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(result: Mapping[str, Any]) -> list[list[str]]:
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
        ["channels", ", ".join(result["channels"])],
        ["sampling rate", _known(rate, "Hz", result["sampling_rate_source"])],
        ["shaft speed", _known(rpm, "rpm", result["rpm_source"]) + turns],
        ["length", f"{result['samples']} samples{seconds}"],
        ["rate check", f"{verdict}: {check['reason']}"],
    ]
    if bearing := result["bearing"]:
        orders = ", ".join(
            f"{name.upper()} {order:.3f}" for name, order in bearing["orders"].items()
        )
        rows.append(["bearing", f"{bearing['name']}: {orders} × shaft"])
    return rows


def _variable(variable: Mapping[str, Any]) -> str:
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


def _peaks(result: Mapping[str, Any]) -> str:
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
                " or ".join(peak["matches"]) or "-",
            ]
        )
    return _columns(rows, left=(0, 5))


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
