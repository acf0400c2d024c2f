"""Columns of Parquet files and functions of universal files (UFF 58), as named arrays."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Document
from faultdiag.errors import (
    FaultdiagError,
    needs_extra,
)
from faultdiag.readers.base import (
    Reader,
    is_increment,
    is_rate,
    is_speed,
    is_time,
    plausible_rate,
    rate_of_increment,
)
from faultdiag.readers.layouts import Layout, NamedArrays
from faultdiag.readers.source import Allowance, DamageError, Row, StoredArray, distinct, reading


@dataclass(frozen=True, eq=False)
class Column:
    """A vector that is read as a whole when it is first needed.

    Parameters
    ----------
    name, kind
        Its name, and its type in the format's own words.
    samples
        How many values it has.
    real
        Whether they are real numbers.
    read
        Returns them.
    """

    name: str
    kind: str
    samples: int
    real: bool
    read: Callable[[], NDArray[np.generic]] = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""
        return (self.samples,)

    @cached_property
    def values(self) -> NDArray[np.generic]:
        """The values."""
        return self.read()

    def require_there(self) -> None:
        """Do nothing: the library compared the header with the file."""

    def fields(self) -> Mapping[str, StoredArray]:
        """Return nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Return its first value."""
        return float(self.values[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[np.generic]:
        """Return its samples, ``(len(columns), stop - start)``."""
        return np.stack([self.values[start:stop] for _ in columns])


def _number(name: str, value: float) -> Column:
    return Column(name, "number", 1, True, lambda: np.array([value]))


def _table(
    path: Path, kind: str, columns: Mapping[str, Column], facts: Mapping[str, float]
) -> Reader:
    """Return the reader of columns of equal length; one of them may be the times."""
    known = {name: column for name, column in columns.items() if column.real}
    time = _time(known)
    rows = {name: Row(column) for name, column in known.items() if name != time}
    rate, speed = (_fact(facts, named) for named in (is_rate, is_speed))
    interval = _fact(facts, is_increment)

    def layout(wanted: Collection[str]) -> Layout:
        del wanted
        choice = "" if rows else "holds no signal: one column of real numbers is needed"
        clock = None if time is None else (time, known[time])
        return Layout(rows, choice, {}, rate, interval, speed, time=clock)

    return NamedArrays(path, columns, kind, layout)


def _time(columns: Mapping[str, Column]) -> str | None:
    """Return the one column of times beside others, or None."""
    times = [
        n for n, column in columns.items() if is_time(n) or column.kind.startswith("timestamp")
    ]
    return times[0] if len(times) == 1 and len(columns) > 1 else None


def _fact(facts: Mapping[str, float], named: Callable[[str], bool]) -> Column | None:
    return next((_number(name, value) for name, value in facts.items() if named(name)), None)


def open_parquet(path: Path) -> Reader:
    """Return the reader of a Parquet file.

    Raises
    ------
    FaultdiagError
        If pyarrow is not installed, or the file is damaged.
    """
    with needs_extra("tables", f"{path} is a Parquet file"):
        parquet = import_module("pyarrow.parquet")
        arrow = import_module("pyarrow")
    with reading(path, "Parquet file"):
        try:
            file, allowance = parquet.ParquetFile(path), Allowance(path.stat().st_size)
            columns = {
                field.name: _arrow_column(path, file, field, arrow.types, allowance)
                for field in file.schema_arrow
                if not field.name.startswith("__index_level")
            }
            facts = _facts(file.schema_arrow.metadata or {})
        except (arrow.ArrowException, ValueError, OSError) as error:
            raise DamageError(str(error).splitlines()[0]) from error
    return _table(path, "Parquet file", columns, facts)


def _arrow_column(path: Path, file: Any, each: Any, types: Any, allowance: Allowance) -> Column:
    stamp = types.is_timestamp(each.type)
    real = types.is_integer(each.type) or types.is_floating(each.type) or stamp

    def read() -> NDArray[np.generic]:
        _take(path, file, each, allowance)
        values = file.read(columns=[each.name]).column(0)
        if values.null_count:
            places = values.is_null().to_numpy()
            raise DamageError(
                f"column {each.name} has no value in row {int(np.argmax(places)) + 1}, and "
                f"{values.null_count} are missing in all"
            )
        array = values.to_numpy()
        # Seconds from the first: a whole number of nanoseconds since 1970 fits no float.
        return (array - array[0]) / np.timedelta64(1, "s") if stamp else np.asarray(array)

    return Column(each.name, str(each.type), file.metadata.num_rows, real, read)


def _take(path: Path, file: Any, each: Any, allowance: Allowance) -> None:
    """Count a column that is unpacked; columns of constants pack to almost nothing.

    Raises
    ------
    DamageError
        If it alone is too large for any recording of that size.
    FaultdiagError
        If it is too large with those that were read before.
    """
    size = _size(file, each)
    try:
        allowance.take(id(each), size)
    except DamageError as error:
        if size > allowance.most:
            raise
        every = sum(_size(file, one) for one in file.schema_arrow)
        raise FaultdiagError(
            f"{path} has {path.stat().st_size} bytes, and reading all of its channels would "
            f"take {every / 1e6:.0f} MB, more than the {allowance.most / 1e6:.0f} MB "
            "that are read of a file of that size; choose one with --channel NAME"
        ) from error


def _size(file: Any, column: Any) -> int:
    """Return how many bytes a column of numbers is unpacked to; 0 for text."""
    with suppress(ValueError):
        return int(file.metadata.num_rows * column.type.bit_width // 8)
    return 0


def _facts(metadata: Mapping[bytes, bytes]) -> dict[str, float]:
    facts = {}
    for name, value in metadata.items():
        with suppress(ValueError):
            facts[name.decode("utf-8", "replace")] = float(value)
    return facts


_TIME_FUNCTIONS = (0, 1)
_UFF = "universal file"


def open_uff(path: Path) -> Reader:
    """Return the reader of the time functions (dataset 58) of a universal file.

    Raises
    ------
    FaultdiagError
        If pyuff is not installed, the file is damaged, or holds no function of time.
    """
    sets = [dataset for dataset in _read_sets(path) if _is_time(dataset)]
    if not sets:
        raise FaultdiagError(
            f"{path} holds no function of time: one dataset 58 of the type 0 or 1 is needed"
        )
    named = dict(zip(distinct([_name(dataset) for dataset in sets]), sets, strict=True))
    columns = {name: _function(name, dataset) for name, dataset in named.items()}
    steps = {name: float(dataset["abscissa_inc"]) for name, dataset in named.items()}
    return NamedArrays(path, columns, _UFF, lambda wanted: _uff_layout(columns, steps, wanted))


def _read_sets(path: Path) -> list[dict[str, Any]]:
    """Return the datasets of a universal file as pyuff reads them."""
    with needs_extra("uff", f"{path} is a universal file"):
        pyuff = import_module("pyuff")
    with reading(path, _UFF):
        try:
            sets = pyuff.UFF(str(path)).read_sets()
        except Exception as error:  # pyuff has no errors of its own: anything may come
            raise DamageError(str(error).splitlines()[0] if str(error) else "no sets") from error
    sets = [sets] if isinstance(sets, dict) else sets
    with reading(path, _UFF):
        for dataset in filter(_is_time, sets):
            _require_count(dataset)
    return sets


def _require_count(dataset: Document) -> None:
    """Compare the values of a function with the number that its header states.

    Raises
    ------
    DamageError
        If they differ.
    """
    stated, count = dataset.get("num_pts"), len(dataset["data"])
    if stated is not None and stated != count:
        raise DamageError(f"function {_name(dataset)} states {stated:g} values and has {count}")


def _is_time(one: Document) -> bool:
    values = np.asarray(one.get("data", []))
    kind = one.get("type") == 58 and one.get("func_type") in _TIME_FUNCTIONS
    return bool(kind) and values.ndim == 1 and values.size > 1 and values.dtype.kind in "fiu"


def _name(one: Document) -> str:
    """Return the first line of a function's text, else the node and direction of its response."""
    text = " ".join(str(one.get("id1", "")).split())
    if text and text.upper() != "NONE":
        return text.replace(", ", " ")
    return f"node {one.get('rsp_node', 0)} direction {one.get('rsp_dir', 0)}"


def _function(name: str, one: Document) -> Column:
    values = np.asarray(one["data"])
    return Column(name, values.dtype.name, values.size, True, lambda: values)


def _uff_layout(
    columns: Mapping[str, Column], steps: Mapping[str, float], wanted: Collection[str]
) -> Layout:
    """Return the layout for some channels, or for all where they are of one rate and length."""
    chosen = columns.keys() & set(wanted) or columns.keys()
    rates = {rate_of_increment(steps[name]) for name in chosen if steps[name] > 0}
    rate = plausible_rate(rates)
    lengths = {columns[name].samples for name in chosen}
    several = f"holds several signals ({', '.join(columns)}); choose a channel"
    choice = "" if len(lengths) == 1 and len(rates) <= 1 else several
    rows = {name: Row(column) for name, column in columns.items()}
    return Layout(rows, choice, rate=None if rate is None else _number("rate", rate))
