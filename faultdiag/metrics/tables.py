"""Tables of results, as plain text and as Markdown."""

from collections.abc import Mapping, Sequence

from faultdiag.errors import printable
from faultdiag.metrics.evaluation import Evaluation

# A share of fewer windows than this is written as a count.
FEW_WINDOWS = 10

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
