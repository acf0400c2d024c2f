"""Arrays of an HDF5 file, read a block of samples at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.readers.damage import ALWAYS_UNPACKED, DamageError, require_plausible
from faultdiag.readers.stored import Stored, table

if TYPE_CHECKING:
    import h5py


@contextmanager
def hdf5_damage() -> Iterator[None]:
    """Turn what h5py raises for broken files into damage.

    Its library says most as OSError, RuntimeError and KeyError; where a damaged type or
    attribute makes no sense to NumPy, that says it as ValueError, TypeError and others.
    """
    try:
        yield
    except (
        *(OSError, RuntimeError, LookupError, ValueError, TypeError),
        *(AttributeError, ArithmeticError, NotImplementedError),
    ) as error:
        said = str(error.args[0] if error.args else error) or type(error).__name__
        raise DamageError(said.splitlines()[0]) from error


def text_of(value: Any) -> str:
    """Give an attribute as text."""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, slots=True, eq=False)
class Struct:
    """A group that MATLAB wrote for a struct, or for something that is no array of numbers."""

    name: str
    kind: str
    inside: Mapping[str, Stored]

    shape = (1, 1)
    real = False

    def require_there(self) -> None:
        """Do nothing: it holds no samples."""

    def fields(self) -> Mapping[str, Stored]:
        """Give the fields of the struct."""
        return self.inside if self.kind == "struct" else {}

    def scalar(self) -> float:
        """Refuse: it is no number."""
        raise TypeError(f"{self.name} is {self.kind}, not real numbers")

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Refuse: it is no table."""
        asked = f"samples {start} to {stop} of its columns {list(columns)}"
        raise TypeError(f"{self.name} is {self.kind}: there are no {asked}")


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """A number that stands in an attribute."""

    name: str
    value: Any

    shape = (1,)
    kind = "attribute"

    @property
    def real(self) -> bool:
        """Whether it is one real number."""
        return isinstance(self.value, np.ndarray | np.generic) and (
            self.value.dtype.kind in "fiu" and self.value.size == 1
        )

    def require_there(self) -> None:
        """Do nothing: it holds no samples."""

    def fields(self) -> Mapping[str, Stored]:
        """Give nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Give the number."""
        return float(np.ravel(self.value)[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Refuse: it is no table."""
        asked = f"samples {start} to {stop} of its columns {list(columns)}"
        raise TypeError(f"{self.name} is an attribute: there are no {asked}")


class Hdf5Array:
    """A dataset of an HDF5 file, which stays open as long as this is.

    Parameters
    ----------
    name
        Its path in the file.
    dataset
        The dataset.
    path
        The file.
    """

    def __init__(self, name: str, dataset: "h5py.Dataset", path: Path) -> None:
        self.name = name
        self.attributes = dict(dataset.attrs)
        self._dataset = dataset
        self._path = path
        self._matlab = text_of(self.attributes.get("MATLAB_class", b""))
        self._empty = "MATLAB_empty" in self.attributes
        self.shape = self._sides()
        self.kind = self._matlab or _name_of(dataset.dtype)
        if dataset.dtype.names == ("real", "imag"):
            self.kind = f"complex {self.kind}"

    @property
    def real(self) -> bool:
        """Whether it holds real numbers."""
        numbers = self._dataset.dtype.kind in "fiu" and not self._empty
        return numbers and self._matlab not in ("char", "logical", "cell", "function_handle")

    def require_there(self) -> None:
        """Refuse it where the file can't hold as many values as its header states.

        Raises
        ------
        DamageError
            If it can't, or would unpack to more than a recording could.
        """
        with hdf5_damage():
            self._require_there()

    def fields(self) -> Mapping[str, Stored]:
        """Give nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Give its first value.

        Raises
        ------
        DamageError
            If it can't be read.
        """
        with hdf5_damage():
            return float(np.ravel(self._dataset[(0,) * len(self._dataset.shape)])[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Give samples of a table, ``(len(columns), stop - start)``.

        Raises
        ------
        DamageError
            If it can't be read, or unpacks to more than a recording could.
        TypeError
            If it is no table.
        """
        shape = tuple(self._dataset.shape)
        size = table(shape)
        if size is None:
            raise TypeError(f"{self.name} of the shape {shape} is no table")
        sides = [axis for axis, n in enumerate(shape) if n != 1] or [0]
        along = sides[0] if size.upright else sides[-1]
        where = tuple(
            slice(start, stop) if axis == along else slice(None) for axis in range(len(shape))
        )
        with hdf5_damage():
            values = self._dataset[where]
        if size.upright:
            values = values.reshape(stop - start, -1).T
        part: NDArray[Any] = values.reshape(size.columns, -1)[list(columns)]
        return part

    def _sides(self) -> tuple[int, ...]:
        if self._empty:
            return tuple(int(n) for n in np.ravel(self._dataset[()])[:8])
        sides = tuple(int(n) for n in self._dataset.shape or ())
        return sides[::-1] if self._matlab else sides

    def _require_there(self) -> None:
        data = self._dataset
        stored = data.id.get_storage_size()
        if data.external or data.is_virtual:
            raise DamageError(f"the samples of {self.name} lie in another file")
        if data.chunks is None:
            there = self._path.stat().st_size
            if data.nbytes > max(stored, 0) or stored > there:
                raise DamageError(
                    f"{self.name} states {data.nbytes} bytes of samples, {min(stored, there)} "
                    "are there"
                )
            return
        chunk = int(np.prod(data.chunks, dtype=object)) * data.dtype.itemsize
        if chunk > max(ALWAYS_UNPACKED, 2 * data.nbytes):
            raise DamageError(f"{self.name} is packed in pieces of {chunk} bytes")
        require_plausible(self.name, stored, data.nbytes)


def _name_of(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "O":
        return "object"
    return "compound" if dtype.names else dtype.name
