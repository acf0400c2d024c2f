"""What commands write to stderr: text, nothing with ``--quiet``, JSON lines with ``--log-json``."""

import io
import json
import re
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

# Seconds between two lines about the same progress.
EVERY = 1.0
# What tqdm writes: task: 42%|###   | 5/12 [00:01<00:02, 3.21recording/s, epoch 2], or 5file [00:01]
_BAR = re.compile(
    r"\r(?:(?P<task>[^\r]*?): )?\s*(?:\d+%\|.*\| )?(?P<done>\d+)(?:/(?P<total>\d+)|[^\s\d/]\S*) "
    r"\[[^,\]]*(?:, [^,\]]*)?(?:, (?P<note>.*))?\]"
)
_LEVELS = ("error", "warning")


class Silence(io.TextIOBase):
    """A stderr that drops what is written to it."""

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind

    def write(self, text: str) -> int:
        """Drop a text."""
        return len(text)


class JsonLines(io.TextIOBase):
    """A stderr that writes a JSON document on a line for each message, and for progress.

    ``{"time": …, "level": "info", "message": …}``; the level is ``error``, ``warning`` or ``info``.
    Lines of the level ``progress`` have ``task, done, total`` in place of a message, at most one a
    second and the last one of each task.
    """

    encoding = "utf-8"
    errors = "strict"

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind
        self._text = ""
        self._shown = -EVERY
        self._last: tuple[str, int] | None = None

    def isatty(self) -> bool:
        """Return True, so that progress is reported."""
        return True

    def write(self, text: str) -> int:
        """Write the messages that are complete."""
        if "\r" in text:
            self._progress(text)
            return len(text)
        self._text += text
        if self._text.endswith("\n"):
            message, self._text = self._text.strip(), ""
            if message:
                self._message(message)
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind it."""
        self.behind.flush()

    def _message(self, text: str) -> None:
        level = next((name for name in _LEVELS if text.startswith(f"{name}: ")), "info")
        self._line(level, message=text.removeprefix(f"{level}: "))

    def _progress(self, text: str) -> None:
        match = _BAR.match(text)
        if match is None:
            return
        done, total = int(match["done"]), int(match["total"]) if match["total"] else None
        now, place = time.monotonic(), (match["task"], done)
        if place == self._last or (done != total and now - self._shown < EVERY):
            return
        self._shown, self._last = now, place
        note = {"message": match["note"]} if match["note"] else {}
        self._line("progress", task=match["task"], done=done, total=total, **note)

    def _line(self, level: str, **fields: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        document = {"time": now, "level": level, **fields}
        self.behind.write(json.dumps(document) + "\n")
        self.behind.flush()


def be_quiet(quiet: bool) -> bool:
    """Drop what is written to stderr from here on, except the message a command ends with."""
    if quiet and not isinstance(sys.stderr, Silence):
        sys.stderr = Silence(sys.stderr)
        warnings.simplefilter("ignore")
    return quiet


def log_json(wanted: bool) -> bool:
    """Write JSON lines to stderr from here on."""
    if wanted and isinstance(sys.stderr, Silence):
        sys.stderr.behind = _as_json(sys.stderr.behind)
    elif wanted:
        sys.stderr = _as_json(sys.stderr)
    return wanted


def _as_json(stream: TextIO) -> TextIO:
    lines: Any = stream if isinstance(stream, JsonLines) else JsonLines(stream)
    made: TextIO = lines
    return made


def be_heard() -> None:
    """End the silence."""
    if isinstance(sys.stderr, Silence):
        sys.stderr = sys.stderr.behind


@contextmanager
def own_stderr() -> Iterator[None]:
    """Have the stderr of before again after the block."""
    before = sys.stderr
    try:
        yield
    finally:
        sys.stderr = before
