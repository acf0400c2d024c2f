"""The program that `faultdiag.readers.excel` starts: the first sheet of numbers as lines of text.

It is a process of its own, within limits of the system, because the library that reads Excel files
ends its process where a file states absurd sizes. It imports nothing else of faultdiag, so that it
starts fast.

    python excel_rows.py FILE OUT MEGABYTES SECONDS BYTES
"""

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

DAMAGED, NO_NUMBERS = 3, 4
"""Exit codes; any other but 0 means that the limits were reached. For the first one, the reason is
written in place of the sheet."""
# Most sheets that are examined.
_MOST_SHEETS = 100
_FEWEST_ROWS = 2


def main(words: Sequence[str]) -> int:
    """Write the sheet, and return the exit code."""
    from python_calamine import CalamineError, CalamineWorkbook

    path, out = words[:2]
    _limit(*map(int, words[2:]))
    try:
        book = CalamineWorkbook.from_path(path)
        for name in book.sheet_names[:_MOST_SHEETS]:
            rows = book.get_sheet_by_name(name).iter_rows()
            if _write_rows(rows, Path(out)) >= _FEWEST_ROWS:
                return 0
    except (CalamineError, ValueError) as error:
        Path(out).write_text(str(error), "utf-8")
        return DAMAGED
    return NO_NUMBERS


def _limit(megabytes: int, seconds: int, most: int) -> None:
    """Limit the memory, the time of the processor and the bytes of a file that is written."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _write_rows(rows: Iterable[Sequence[object]], out: Path) -> int:
    """Write rows as lines without blank ones at the end; return how many of them hold a number."""
    numeric = done = end = 0
    with out.open("wb") as file:
        for row in rows:
            line = "\t".join(map(_cell, row)).encode("utf-8", "backslashreplace")
            if text := line.rstrip():
                end = done + len(text)
            done += file.write(line + b"\n")
            numeric += any(isinstance(cell, int | float) for cell in row)
        file.truncate(end)
        file.seek(end)
        file.write(b"\n")
    return numeric


def _cell(value: object) -> str:
    """Return a cell of a sheet as text: dates as ISO, whole numbers without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    isoformat = getattr(value, "isoformat", None)
    text = isoformat() if callable(isoformat) else str(value)
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
