"""Inspect files or folders."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from faultdiag.config.schema import load_config
from faultdiag.datasets.base import some
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, counted, printable, printable_lines
from faultdiag.evidence.inspection import (
    InspectOptions,
    ListedRecording,
    inspect_files,
    inspect_signals,
    listed_recordings,
)
from faultdiag.evidence.peaks import EnvelopePeak, strongest_fault
from faultdiag.readers.read import FILE_TIMEOUT, nothing_in, reader_errors, recordings_in
from faultdiag.report.drawing import require_png
from faultdiag.report.inspection import format_inspection, plot_inspection
from faultdiag.system.terminal import printable_json

_HEAD = [
    *("file", "channels", "rate, Hz", "(from)", "rpm", "seconds"),
    *("rms", "kurtosis", "rate check", "fault line", "warnings"),
]
_LEGEND = (
    "rms, kurtosis and fault line are those of the first channel; fault line: the strongest "
    "line of its envelope that is one kind of fault's,\n"
    "with its order and its prominence; inspect a single file for the rest"
)


def inspect_paths(
    paths: Sequence[Path],
    *,
    as_json: bool,
    plot: Path | None,
    echo: Callable[[str], object],
    say: Callable[[str], object],
    config: Path | None = None,
    **options: Any,
) -> None:
    """Inspect files, each as a block of text, or folders, with one line for each recording.

    Parameters
    ----------
    as_json
        Print one list of `inspect_file`'s results instead.
    plot
        A PNG to draw; for one file only.
    echo, say
        What prints results, and messages.
    config
        A config whose labels, rates, speeds and bearings hold for its recordings; without `paths`
        all of them are inspected.
    options
        As for `inspect_file`.

    Raises
    ------
    FaultdiagError
        If a file can't be read (the others are printed all the same), a folder holds none, or
        `plot` is asked for something else than one file.
    """
    if plot is not None:
        _require_one_file(paths, plot)
    jobs = _jobs(paths, config)
    if (config is not None and len(jobs) > 1) or any(path.is_dir() for path in paths):
        _inspect_many(jobs, paths, as_json=as_json, echo=echo, options=options)
        return
    results, problems = inspect_files(jobs, **options)
    _print_blocks(results, as_json=as_json, echo=echo)
    if plot is not None and results:
        path, listed = jobs[0]
        plot_inspection(path, plot, InspectOptions(listed=listed, **options))
        say(f"drew {plot}")
    if problems:
        raise FaultdiagError("\n".join(problems))


def _print_blocks(results: Sequence[Json], *, as_json: bool, echo: Callable[[str], object]) -> None:
    if as_json:
        echo(_json(results))
    elif results:
        echo("\n\n".join(format_inspection(result) for result in results))


def _jobs(paths: Sequence[Path], config: Path | None) -> list[tuple[Path, ListedRecording | None]]:
    """Return each file once for each recording that a config lists in it."""
    files = _files(paths)
    if config is None:
        return [(path, None) for path in files]
    listed = listed_recordings(load_config(config))
    if not paths:
        return [(one.entry.path, one) for one in listed]
    by_path: dict[Path, list[ListedRecording]] = {}
    for one in listed:
        by_path.setdefault(one.entry.path.resolve(), []).append(one)
    _require_selected(paths, by_path, config)
    return [(path, one) for path in files for one in by_path.get(path.resolve(), ())]


def _require_selected(paths: Sequence[Path], selected: Collection[Path], config: Path) -> None:
    """Refuse a named file that the config doesn't select; of a folder those that it selects do."""
    strange = [path for path in paths if path.is_file() and path.resolve() not in selected]
    if strange:
        raise FaultdiagError(
            f"{config} selects no recording {some(map(str, strange))}; it selects: "
            f"{some(map(str, selected))}"
        )


def _files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are named and those in folders, each once."""
    below = (_below(path) if path.is_dir() else [path] for path in paths)
    return list(dict.fromkeys(chain.from_iterable(below)))


def _below(folder: Path) -> list[Path]:
    files = recordings_in(folder)
    if not files:
        raise nothing_in(folder)
    return files


def _inspect_many(
    jobs: Sequence[tuple[Path, ListedRecording | None]],
    paths: Sequence[Path],
    *,
    as_json: bool,
    echo: Callable[[str], object],
    options: Document,
) -> None:
    from tqdm import tqdm

    root = paths[0] if len(paths) == 1 and paths[0].is_dir() else None
    bar = tqdm(jobs, "inspecting", unit="recording", disable=None)
    results = [row for path, one in bar for row in _inspected(path, {**options, "listed": one})]
    echo(_json(results) if as_json else printable_lines(format_table(results, root)))
    failed = sum("error" in result for result in results)
    if failed:
        raise FaultdiagError(
            f"{failed} of {counted(len(results), 'recording')} could not be read; see their lines"
        )


def _inspected(path: Path, options: Document) -> list[Json]:
    try:
        with reader_errors(path, FILE_TIMEOUT):
            return list(inspect_signals(path, **options))
    except FaultdiagError as error:
        return [{"path": str(path), "error": str(error)}]


def format_table(results: Iterable[Document], root: Path | None = None) -> str:
    """Return one line for each result of `inspect_file`, and for each file that has an error.

    Parameters
    ----------
    results
        As `inspect_file` gives them, or ``{"path": ..., "error": ...}``.
    root
        The files are named from here on; in full where None.
    """
    listed = [(_name(result, root), result) for result in results]
    rows = [_HEAD, *(_row(name, result) for name, result in listed if "error" not in result)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    widths[0] = max(widths[0], *(len(name) for name, _ in listed))
    lines = iter([_line(row, widths) for row in rows])
    table = [next(lines)]
    for name, result in listed:
        failed = "error" in result
        table.append(f"{name:<{widths[0]}}  {_reason(result)}" if failed else next(lines))
    return "\n".join([*table, "", _LEGEND])


def _row(name: str, result: Document) -> list[str]:
    rate, rpm, check = result["sampling_rate"], result["rpm"], result["rate_check"]
    first = result["channels"][0]
    statistics = result["statistics"][first]
    verdict = check["verdict"]
    if check["suggested"] is not None:
        verdict += f": {check['suggested']:g} fits"
    return [
        name,
        printable(",".join(result["channels"])),
        _number(rate, ".10g"),
        result["sampling_rate_source"] or "-",
        _number(rpm, "g"),
        _number(result["samples"] / rate if rate else None, ".2f"),
        _number(statistics["rms"], ".4g"),
        _number(statistics["kurtosis"], ".2f"),
        verdict,
        _fault_line(result["envelope_peaks"], first),
        str(len(result["warnings"]) or "-"),
    ]


def _fault_line(peaks: Iterable[Document], channel: str) -> str:
    fields = ("frequency", "order", "prominence", "amplitude", "band", "matches")
    own = [p for p in peaks if p["channel"] == channel]
    peak = strongest_fault([EnvelopePeak(**{f: p[f] for f in fields}) for p in own])
    if peak is None:
        return "-"
    return f"{peak.matches[0]} {peak.order:.2f} ({peak.prominence:.1f})"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    left = {0, 1, 3, 8, 9}
    cells = [
        cell.ljust(width) if i in left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _name(result: Document, root: Path | None) -> str:
    path = Path(result["path"])
    return printable(str(path.relative_to(root) if root is not None else path))


def _reason(result: Document) -> str:
    """Return why a file can't be read in one line; it begins with the file's name already."""
    text = " ".join(result["error"].split())
    return "error: " + text.removeprefix(printable(result["path"])).lstrip(": ")


def _require_one_file(paths: Sequence[Path], plot: Path) -> None:
    if len(paths) != 1:
        raise FaultdiagError(f"--plot draws one recording, {len(paths)} were given")
    if paths[0].is_dir():
        raise FaultdiagError(f"--plot draws one recording and {paths[0]} is a folder; name one")
    require_png(plot)


def _json(document: object) -> str:
    return printable_json(json.dumps(document, indent=2, ensure_ascii=False))
