"""Fitted classifiers as bytes, by skops: trusted types only, never pickle."""

import io
import json
import re
import tokenize
import warnings
import zipfile
from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError

# What fitted classifiers of any kind consist of, beside their own types.
PLAIN = frozenset(
    {
        *(f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "str", "tuple")),
        *("numpy.bool", "numpy.dtype", "numpy.float64", "numpy.int32", "numpy.int64"),
        "numpy.ndarray",
    }
)

# What skops and scikit-learn raise on a file that is damaged or made to mislead them.
DAMAGE = (
    zipfile.BadZipFile,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,  # of numpy, on the head of an array
)

# The oldest date of a zip file: the same fit gives the same bytes on any day.
_DATE = (1980, 1, 1, 0, 0, 0)


def dumps(model: object) -> bytes:
    """Return a fitted classifier as bytes; the same classifier always gives the same ones."""
    import skops.io

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as file:
        members = {name: file.read(name) for name in file.namelist()}
    schema = members.pop("schema.json").decode()
    # skops names objects by their addresses in memory.
    numbers: dict[str, str] = {}
    for address in re.findall(r'"__id__": (\d+)', schema):
        numbers.setdefault(address, str(len(numbers)))
    schema = re.sub(r'("__id__": |"file": ")(\d+)', lambda m: m[1] + numbers[m[2]], schema)
    schema = json.dumps(json.loads(schema), separators=(",", ":"))
    renamed = {f"{numbers[name.removesuffix('.npy')]}.npy": data for name, data in members.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in {**renamed, "schema.json": schema.encode()}.items():
            file.writestr(zipfile.ZipInfo(name, _DATE), data)
    return buffer.getvalue()


def loads(content: bytes, types: Collection[str]) -> object:
    """Return the classifier that `dumps` stored.

    Parameters
    ----------
    content
        What `dumps` returned.
    types
        Full names of the types it may hold beside plain data and arrays; no other is built.

    Raises
    ------
    FaultdiagError
        If it is damaged, holds another type, or is of another version of scikit-learn.
    """
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning

    try:
        _require_plain(content, types)
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return skops.io.loads(content, trusted=sorted(types))
    except InconsistentVersionWarning as error:
        raise FaultdiagError(
            f"it was fitted with scikit-learn {error.original_sklearn_version}, and "
            f"{error.current_sklearn_version} is installed; install the former, or train again"
        ) from error
    except DAMAGE as error:
        raise damaged(str(error)) from error


def damaged(problem: str) -> FaultdiagError:
    """Return the error for stored content that can't be used."""
    first = problem.splitlines()[0] if problem else "it ends too early"
    return FaultdiagError(f"it is damaged: {first}; take another copy, or train again")


def _require_plain(content: bytes, types: Collection[str]) -> None:
    """Refuse compressed members, types that no fit stores, and numbers that are not finite."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        # A compressed member could be far larger in memory than the file is.
        if any(info.compress_type != zipfile.ZIP_STORED for info in file.infolist()):
            raise ValueError("its parts are compressed")
        names = set(_types(json.loads(file.read("schema.json"))))
        if strange := sorted(names - {*PLAIN, *types}):
            raise ValueError(f"it holds the types {', '.join(strange)}, which no fit stores")
        for member in file.namelist():
            if member.endswith(".npy"):
                _require_finite(np.load(io.BytesIO(file.read(member)), allow_pickle=False))


def _types(node: object) -> Iterator[str]:
    """Yield the full names of all types in a schema of skops."""
    if isinstance(node, dict):
        if "__class__" in node:
            yield f"{node.get('__module__')}.{node['__class__']}"
        for child in node.values():
            yield from _types(child)
    elif isinstance(node, list):
        for child in node:
            yield from _types(child)


def _require_finite(array: NDArray[np.void]) -> None:
    fields = [array[name] for name in array.dtype.names or ()] or [array]
    if not all(np.isfinite(field).all() for field in fields):
        raise ValueError("it holds NaN or infinity")
