"""The program that `faultdiag.readers.packed` starts: the first sheet of numbers as lines of text.

It is a process of its own, within limits of the system, because the library that reads Excel files
ends its process where a file states absurd sizes. It imports nothing else of faultdiag, so that it
starts fast.

    python excel_rows.py FILE OUT MEGABYTES SECONDS BYTES FOLDER_OF_MODULES ...
"""

import errno
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

DAMAGED, NO_NUMBERS, TOO_LARGE, NO_ROOM = 3, 4, 5, 100
"""Exit codes; any other but 0 is a failure of the program, or a signal. For the first one, the
reason is written in place of the sheet; to the last one, the number of the error is added."""
NO_ROOM_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of the errors of a file that can't grow."""
_FEWEST_ROWS = 2


def main(words: Sequence[str]) -> int:
    """Write the sheet, and return the exit code."""
    path, out, megabytes, seconds, most, *sys.path[:] = words
    import python_calamine

    _limit(int(megabytes), int(seconds), int(most))
    try:
        return _write_sheet(path, Path(out))
    except (python_calamine.CalamineError, ValueError) as error:
        Path(out).write_text(str(error), "utf-8")
        return DAMAGED
    except MemoryError:
        return TOO_LARGE
    except OSError as error:
        if error.errno not in NO_ROOM_ERRORS:
            raise
        full = error.errno == errno.EFBIG and Path(out).stat().st_size >= int(most)
        return TOO_LARGE if full else NO_ROOM + error.errno


def _write_sheet(path: str, out: Path) -> int:
    """Write the first sheet with enough rows of numbers, and return the exit code."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(path)
    for name in book.sheet_names:
        if _write_rows(book.get_sheet_by_name(name).iter_rows(), out) >= _FEWEST_ROWS:
            return 0
    return NO_NUMBERS


def _limit(megabytes: int, seconds: int, most: int) -> None:
    """Limit the memory, the time of the processor and the bytes of a file that is written."""
    with suppress(ImportError):
        import resource

        limits = {
            resource.RLIMIT_AS: (megabytes << 20, megabytes << 20),
            resource.RLIMIT_CPU: (seconds, seconds + 1),
            resource.RLIMIT_FSIZE: (most, most),
            resource.RLIMIT_CORE: (0, 0),
        }
        for kind, limit in limits.items():
            # A stricter limit of the process that started this one stays.
            old = resource.getrlimit(kind)[0]
            if old == resource.RLIM_INFINITY or old > limit[0]:
                with suppress(ValueError, OSError):
                    resource.setrlimit(kind, limit)


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
