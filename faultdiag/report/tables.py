"""Tables of results as plain text and Markdown; lists of networks, blocks and bearings as text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from faultdiag.documents import Document, Json
from faultdiag.errors import printable
from faultdiag.metrics.evaluation import Evaluation
from faultdiag.signal.bearings import Bearing, CatalogueRow

# A share of fewer windows than this is written as a count.
FEW_WINDOWS = 10

Facts = Document

COLUMNS = {
    "part": "part",
    "windows": "windows",
    "disjoint_windows": "disjoint",
    "recordings": "recordings",
    "accuracy": "accuracy %",
    "macro_f1": "macro-F1 %",
    "false_alarm_rate": "false alarms %",
    "missed_alarm_rate": "missed alarms %",
}


def format_table(
    rows: Sequence[Mapping[str, object]], columns: Mapping[str, str], *, markdown: bool = False
) -> str:
    """Rows as an aligned table: words to the left, numbers to the right, "-" where none is.

    A whole number is written as it is, a float as a percentage with one decimal, None and a
    missing key as "-". No line ends in blanks, and there is no newline at the end.

    Parameters
    ----------
    rows
        The cells of each row by key.
    columns
        Heading of each key, in the order of the table.
    markdown
        Give a Markdown table, which reads as well unrendered.

    Examples
    --------
    >>> rows = [{"part": "test", "accuracy": 0.9787}, {"part": "valid", "accuracy": None}]
    >>> print(format_table(rows, {"part": "part", "accuracy": "accuracy %"}))
    part   accuracy %
    -----  ----------
    test         97.9
    valid           -
    """
    cells = [[head, *(_cell(row.get(key)) for row in rows)] for key, head in columns.items()]
    words = [any(isinstance(row.get(key), str) for row in rows) for key in columns]
    padded = [
        _padded([_escaped(cell, markdown) for cell in column], to_left=word, markdown=markdown)
        for column, word in zip(cells, words, strict=True)
    ]
    lines = zip(*padded, strict=True)
    if markdown:
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _padded(column: Sequence[str], *, to_left: bool, markdown: bool) -> list[str]:
    """Return a column with its heading first and a rule below that, all of one width."""
    width = max(3, *map(len, column))
    rule = "-" * (width - 1) + ":" if markdown and not to_left else "-" * width
    head, *cells = [cell.ljust(width) if to_left else cell.rjust(width) for cell in column]
    return [head, rule, *cells]


def parts_table(
    parts: Mapping[str, Evaluation],
    disjoint_windows: Mapping[str, int],
    *,
    markdown: bool = False,
) -> str:
    """The scores of each part as a table, the number of disjoint windows beside that of all.

    Parameters
    ----------
    parts
        The evaluation of each part, in the order of the table.
    disjoint_windows
        Number of windows of each part that share no sample; "-" for a part that isn't named.
    markdown
        As for `format_table`.
    """
    rows = [
        {
            **evaluation,
            "part": part,
            "disjoint_windows": disjoint_windows.get(part),
            **_share_cells(evaluation),
        }
        for part, evaluation in parts.items()
    ]
    return format_table(rows, COLUMNS, markdown=markdown)


def _share_cells(evaluation: Evaluation) -> dict[str, object]:
    windows, healthy = evaluation["windows"], evaluation.get("healthy_windows")
    faulty = None if healthy is None else windows - healthy
    return {
        "accuracy": share_cell(evaluation["accuracy"], windows),
        "false_alarm_rate": share_cell(evaluation["false_alarm_rate"], healthy),
        "missed_alarm_rate": share_cell(evaluation["missed_alarm_rate"], faulty),
    }


def share_cell(share: float | None, windows: int | None) -> float | str | None:
    """Return a share of windows; where these are few, the count in place of a percentage.

    Examples
    --------
    >>> share_cell(0.2, 5), share_cell(0.1, 40)
    ('1 of 5', 0.1)
    """
    if share is None or windows is None or windows >= FEW_WINDOWS:
        return share
    return f"{round(share * windows)} of {windows}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if isinstance(value, float) else printable(str(value))


def _escaped(cell: str, markdown: bool) -> str:
    return cell.replace("|", r"\|") if markdown else cell


def best_interval(row: Document) -> tuple[list[float] | None, str]:
    """Return the interval of accuracy that the table shows, and what it is over."""
    for kind in ("folds", "seeds"):
        ends: list[float] | None = row["accuracy"][f"over_{kind}"]
        if ends is not None:
            return ends, f"{row[kind]} {kind}"
    return None, "-"


def white_rows(rows: Sequence[Document]) -> list[Document]:
    """Return the rows of white noise that have an accuracy."""
    return [
        row
        for row in rows
        if row["snr"] is not None
        and row.get("kind", "white") == "white"
        and row["accuracy"]["mean"] is not None
    ]


def models_text(facts: Sequence[Facts]) -> str:
    """Return the facts as text: a line of numbers for each network, its options and source."""
    networks = [_network(fact) for fact in facts if fact["kind"] == "network"]
    baselines = [_baseline(fact) for fact in facts if fact["kind"] == "baseline"]
    return "\n\n".join(
        [
            "Networks, at 1 channel, 10 classes and windows of 2048 samples:",
            *networks,
            "Baselines, on hand-made features of the windows:",
            *baselines,
        ]
    )


def _network(fact: Facts) -> str:
    places = "1" if fact["positions"] == 1 else f"1 to {fact['positions']}"
    classes = "" if fact["classes"] == 10 else f" ({fact['classes']} classes)"
    seen = f"windows of {fact['minimum_length']} samples or more"
    if fact["representation"] != "raw":
        seen = f"on {fact['representation']}"
    return (
        f"{fact['name']:<14} {fact['parameters']:>9,} parameters "
        f"{fact['multiply_adds']:>11,} multiply-adds{classes}  attention after {places}, {seen}\n"
        f"{_options_and_source(fact)}"
    )


def _baseline(fact: Facts) -> str:
    shortest = fact["minimum_length"]
    length = f"windows of {shortest} samples or more" if shortest > 1 else "any window"
    return f"{fact['name']:<15} {fact['summary']} ({length})\n{_options_and_source(fact)}"


def _options_and_source(fact: Facts) -> str:
    options = ", ".join(f"{key}={_yaml(value)}" for key, value in fact["options"].items())
    return f"    options: {options or 'none'}\n    {fact['reference']}"


def _yaml(value: object) -> str:
    """Return a default as YAML writes it."""
    if value is None:
        return "null"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)


def bundled_text(facts: Sequence[Facts]) -> str:
    """Return the models in the box as text: what each does, and what it can't know."""
    return "\n\n".join(_bundled(fact) for fact in facts)


def _bundled(fact: Facts) -> str:
    lines = [
        f"{fact['name']}: {fact['summary']}",
        f"    classes: {', '.join(fact['classes'])}; {fact['bytes'] / 1000:.0f} kB; windows of "
        f"{fact['seconds']:g} s",
        f"    faultdiag predict {fact['name']} FILE --bearing 6205 --rpm 1797",
        *(f"    - {limit}" for limit in fact["limits"]),
        f"    card: {fact['card']}",
    ]
    return "\n".join(lines)


def attention_text(facts: Sequence[Facts]) -> str:
    """Return the facts as text: what each block does, its sizes, its options and its source."""
    head = "Parameters at 16, 32, 64 and 128 channels; multiply-adds at 32 channels, length 32:"
    return "\n\n".join([head, *(_block(fact) for fact in facts)])


def _block(fact: Facts) -> str:
    sizes = " / ".join(f"{size:,}" for size in fact["parameters"].values())
    options = ", ".join(f"{key}={value}" for key, value in fact["options"].items())
    return (
        f"{fact['name']:<18} {sizes} parameters, {fact['multiply_adds']:,} multiply-adds\n"
        f"    {fact['summary']}\n"
        f"    options: {options or 'none'}\n"
        f"    {fact['reference']}"
    )


_HEADER = ("bearing", "maker", "type", "balls", "BPFO", "BPFI", "BSF", "FTF", "")


def bearing_values(row: CatalogueRow) -> Json:
    """Return a bearing of the catalogue as plain values, ready for JSON."""
    bearing = row.bearing
    geometry = None
    if isinstance(bearing, Bearing):
        geometry = {
            "ball_diameter": bearing.ball_diameter,
            "pitch_diameter": bearing.pitch_diameter,
            "unit": row.unit,
            "contact_angle": bearing.contact_angle,
        }
    return {
        "name": bearing.name,
        "maker": row.maker or None,
        "type": row.type,
        "balls": bearing.balls,
        "geometry": geometry,
        "orders": asdict(bearing.orders),
        "approximate": row.approximate,
        "note": row.note or None,
        "source": row.source,
    }


def bearings_text(rows: Iterable[CatalogueRow]) -> str:
    """Return the list of bearings: one line each, with the fault orders."""
    lines: list[tuple[str, ...]] = [_HEADER]
    for row in rows:
        orders = row.bearing.orders
        numbers = [f"{value:.3f}" for value in (orders.bpfo, orders.bpfi, orders.bsf, orders.ftf)]
        mark = "approximate" if row.approximate else ""
        lines.append(
            (row.bearing.name, row.maker, row.type, str(row.bearing.balls), *numbers, mark)
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADER))]
    text = [
        "  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)) for line in lines
    ]
    return "\n".join(
        [
            *(line.rstrip() for line in text),
            "",
            "Orders are multiples of the shaft rate; a spot on a ball strikes at 2 x BSF.",
            "'faultdiag bearings NAME' shows geometry and source.",
        ]
    )


def bearing_text(row: CatalogueRow) -> str:
    """Return all that the catalogue knows of one bearing."""
    bearing, orders = row.bearing, row.bearing.orders
    maker = f", {row.maker}" if row.maker else ""
    lines = [f"{bearing.name}{maker}: {row.type} bearing", _geometry(row)]
    lines += [
        f"{key.upper():5} {value:7.4f} x shaft rate  ({value:.4f} Hz at 60 rpm)"
        for key, value in asdict(orders).items()
    ]
    if row.approximate:
        lines.append("approximate: check it against the bearing's maker")
    if row.note:
        lines.append(f"note: {row.note}")
    return "\n".join([*lines, f"source: {row.source}"])


def _geometry(row: CatalogueRow) -> str:
    bearing = row.bearing
    if not isinstance(bearing, Bearing):
        return f"{bearing.balls} balls or rollers in a row; its diameters are not published"
    return (
        f"{bearing.balls} balls or rollers of {bearing.ball_diameter:g} {row.unit} in a row, pitch "
        f"diameter {bearing.pitch_diameter:g} {row.unit}, contact angle "
        f"{bearing.contact_angle:g} degrees"
    )
