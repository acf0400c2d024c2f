"""Facts in a JSON file beside a recording: ``run1.json`` or ``run1.csv.json`` for ``run1.csv``."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import (
    Reader,
    Variable,
    is_increment,
    is_rate,
    is_speed,
    plausible_rate,
    plausible_speed,
    rate_of_increment,
)
from faultdiag.readers.source import RecordingSource

_MOST_BYTES = 2**20


def side_file(path: Path) -> Path | None:
    """Return the JSON file beside a recording, or None."""
    places = (path.with_name(f"{path.name}.json"), path.with_suffix(".json"))
    return next((place for place in places if place != path and place.is_file()), None)


@dataclass(frozen=True, slots=True)
class WithSideFile:
    """A reader whose file leaves rate or speed to a JSON file beside it."""

    reader: Reader
    side: Path

    def variables(self) -> list[Variable]:
        """Return what the file holds."""
        return self.reader.variables()

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None); what the recording itself states wins.

        Raises
        ------
        FaultdiagError
            As the reader, or if the JSON file can't be read.
        """
        found = self.reader.source(channels)
        if found.sampling_rate is not None and found.rpm is not None:
            return found
        facts = list(_numbers("", self._document()))
        rates = [value for name, value in facts if is_rate(name)]
        rates += [rate_of_increment(v) for name, v in facts if is_increment(name) and v > 0]
        speeds = [value for name, value in facts if is_speed(name)]
        return replace(
            found,
            sampling_rate=found.sampling_rate or plausible_rate(rates),
            rpm=found.rpm or plausible_speed(speeds),
        )

    def _document(self) -> Any:
        try:
            if self.side.stat().st_size > _MOST_BYTES:
                return {}
            return json.loads(self.side.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise FaultdiagError(
                f"{self.side}, which lies beside a recording, is no JSON ({error}); fix it, or "
                "give it another name"
            ) from error


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a document, each with its own name, however deep they lie."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _numbers(str(key), inside)
    elif isinstance(value, list):
        for inside in value[:100]:
            yield from _numbers(name, inside)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)
