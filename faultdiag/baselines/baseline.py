"""The base of the baselines: columns, classes, fitting, probabilities, and storing by skops."""

import io
import json
import re
import tokenize
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats, Integers
from faultdiag.documents import parse_json
from faultdiag.errors import FaultdiagError, counted, did_you_mean
from faultdiag.features.extract import ORDER_GROUPS
from faultdiag.metrics.scores import require_classes

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
    schema = json.dumps(parse_json(schema), separators=(",", ":"))
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
        names = set(_types(parse_json(file.read("schema.json"))))
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


class Classifier(Protocol):
    """A fitted classifier of scikit-learn."""

    classes_: Integers

    def predict_proba(self, x: Floats, /) -> Floats:
        """Return probabilities, ``(windows, classes present)``."""


class Baseline(ABC):
    """A classifier of feature rows.

    A subclass states its `name`, where it comes from, the types that its fit stores, and `train`,
    which fits a scikit-learn classifier on the columns in use. Classes without a training window
    get the probability 0.

    Parameters
    ----------
    features
        Names of the columns, as `faultdiag.features.extract.names` gives them.
    classes
        Names of the classes.
    use
        Beginnings of the names of the columns to use, such as ``whitened`` or ``time.kurtosis``;
        all columns where empty.

    Raises
    ------
    FaultdiagError
        If no column begins with one of `use`.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    # Full names of the types that a fitted one consists of; no other is loaded.
    types: ClassVar[tuple[str, ...]]
    fewest_classes: ClassVar[int] = 1
    # False for one that ignores the window.
    sees_features: ClassVar[bool] = True
    # Whether its classifier rounds features to float32.
    in_single: ClassVar[bool] = False
    # Why it can't be an ONNX graph; None if skl2onnx writes it.
    not_exported: ClassVar[str | None] = None

    def __init__(
        self, features: Sequence[str], classes: Sequence[str], use: Sequence[str] = ()
    ) -> None:
        self.features = tuple(features)
        self.classes = tuple(classes)
        self.use = tuple(use)
        self.columns = _columns(self.features, self.use, self.name)
        self.model: object = None
        self._content = b""

    @property
    def content(self) -> bytes:
        """The fitted model, as a checkpoint stores it; empty before a fit."""
        if not self._content and self.model is not None:
            self._content = dumps(self.model)
        return self._content

    @abstractmethod
    def train(self, x: Floats, labels: Integers, seed: int) -> object:
        """Fit to ``(windows, columns)`` and labels ``(windows,)``; return a `Classifier`."""

    def present(self, model: Any) -> Integers:
        """Return the classes of the columns of `evaluate`: those with a training window."""
        return np.asarray(model.classes_)

    def evaluate(self, model: Any, x: Floats) -> Floats:
        """Return probabilities, ``(windows, classes present)``."""
        return np.asarray(model.predict_proba(x))

    def problem(self, model: Any) -> str:  # noqa: ARG002 - for subclasses
        """Return the faults of a stored model that its own code would not notice."""
        return ""

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of features that the columns in use belong to."""
        used = (self.features[column].split(".")[0] for column in self.columns)
        return tuple(dict.fromkeys(used))

    @property
    def needs_orders(self) -> bool:
        """Whether it can't do without shaft speed and bearing."""
        return any(wanted.split(".")[0] in ORDER_GROUPS for wanted in self.use)

    def fit(self, features: NDArray[np.floating], labels: Integers, seed: int) -> Self:
        """Learn from windows; the same arguments give the same baseline.

        Parameters
        ----------
        features
            ``(windows, features)``.
        labels
            Indices into `classes`, ``(windows,)``.
        seed
            Of whatever is left to chance.

        Raises
        ------
        FaultdiagError
            If the rows have another width than `features` has names, or there are too few
            classes among the labels.
        ValueError
            If a label is no index of a class.
        """
        require_classes("labels", labels, len(self.classes))
        x = self._rows(features)
        present = np.unique(labels)
        if present.size < self.fewest_classes:
            names = ", ".join(self.classes[i] for i in present) or "none"
            raise FaultdiagError(
                f"baseline '{self.name}' needs windows of two classes or more to learn from; "
                f"found: {names}"
            )
        self.model, self._content = self.train(x, labels, seed), b""
        return self

    def probabilities(self, features: NDArray[np.floating]) -> Floats:
        """Return the probability of each class for each row, ``(windows, classes)``.

        Raises
        ------
        FaultdiagError
            If it was not fitted, or the rows have another width than `features` has names.
        """
        if self.model is None:
            raise FaultdiagError(f"baseline '{self.name}' has learnt nothing yet; fit it first")
        rows = self._rows(features)
        probabilities = np.zeros((len(rows), len(self.classes)))
        if len(rows):
            probabilities[:, self.present(self.model)] = self.evaluate(self.model, rows)
        return probabilities

    def restore(self, content: bytes) -> None:
        """Load what another of its kind has learnt: its `content`.

        Raises
        ------
        FaultdiagError
            If it is damaged, of another kind, or of another version of scikit-learn.
        """
        try:
            model = loads(content, self.types)
            try:
                if problem := self._problem(model):
                    raise damaged(problem)
            except DAMAGE as error:
                raise damaged(str(error)) from error
        except FaultdiagError as error:
            raise FaultdiagError(f"the stored baseline '{self.name}': {error}") from error
        self.model, self._content = model, content

    def _problem(self, model: object) -> str:
        """Return the fault of a model whose types are right."""
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        if self.types and kind != self.types[0]:
            return f"it is {kind}, expected {self.types[0]}"
        present = self.present(model)
        if not _increasing_within(present, len(self.classes)):
            return f"its classes must be increasing indices of {len(self.classes)}"
        if len(present) < self.fewest_classes:
            return f"it has {len(present)} class"
        if problem := self.problem(model):
            return problem
        probabilities = self.evaluate(model, np.zeros((1, len(self.columns))))
        sound = probabilities.shape == (1, len(present)) and bool((probabilities >= 0).all())
        if sound and np.isclose(probabilities.sum(), 1):
            return ""
        return f"it computes no probabilities of {counted(len(present), 'class')}"

    def _rows(self, features: NDArray[np.floating]) -> Floats:
        if features.ndim != 2 or features.shape[1] != len(self.features):
            raise FaultdiagError(
                f"baseline '{self.name}' takes rows of {len(self.features)} features; found an "
                f"array of shape {features.shape}: other channels, or shaft speed known for only "
                "one of the two?"
            )
        return np.asarray(features[:, self.columns], dtype=np.float64)


def _increasing_within(indices: Integers, count: int) -> bool:
    if indices.ndim != 1 or indices.dtype.kind != "i" or not indices.size:
        return False
    return bool(indices[0] >= 0 and indices[-1] < count and (np.diff(indices) > 0).all())


def _columns(features: Sequence[str], use: Sequence[str], name: str) -> NDArray[np.intp]:
    """Indices of the columns whose name is one of `use` or continues it after a dot."""
    groups = list(dict.fromkeys(column.split(".")[0] for column in features))
    for wanted in use:
        if not any(_begins(column, wanted) for column in features):
            raise FaultdiagError(
                f"baseline '{name}' is to use '{wanted}'{did_you_mean(wanted, groups)}, "
                f"but the features are of: {', '.join(groups)} (envelope and whitened need the "
                "shaft speed and the bearing)"
            )
    chosen = [not use or any(_begins(column, u) for u in use) for column in features]
    return np.flatnonzero(chosen)


def _begins(column: str, wanted: str) -> bool:
    return column == wanted or column.startswith((f"{wanted}.", f"{wanted}["))
