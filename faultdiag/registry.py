"""Names to builders, looked up late and checked against the builder's own signature.

A registry is a table ``name -> "module:object"``. The names are known without importing
anything heavy; the object is imported when it is first used. A component's options are exactly
its builder's keyword-only parameters. Other packages add entries through an entry-point group,
notebooks through `Registry.register`.
"""

import inspect
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Generic, TypeVar, cast, get_type_hints

from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, did_you_mean, unknown

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """One option of a component: its name, type, default, and whether it must be given."""

    name: str
    type: Any
    default: object
    required: bool


class Registry(Generic[T]):
    """A table of named builders of one kind.

    Parameters
    ----------
    kind
        What the entries are, in the words of an error message: ``"attention block"``.
    entries
        ``name -> "module:object"``.
    group
        Entry-point group in which installed packages add entries; None for a closed table.
    """

    def __init__(self, kind: str, entries: Mapping[str, str], *, group: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self._own = dict(entries)
        self._registered: dict[str, Callable[..., T]] = {}

    @cached_property
    def _plugins(self) -> dict[str, str]:
        """Entries of installed packages: ``name -> "module:object"``."""
        if self.group is None:
            return {}
        from importlib.metadata import entry_points

        return {p.name: p.value for p in entry_points(group=self.group)}

    def __iter__(self) -> Iterator[str]:
        return iter({**self._own, **self._plugins, **self._registered})

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._registered or name in self._plugins

    def names(self) -> list[str]:
        """Return the names of all entries: our own, then those of others."""
        return list(self)

    def is_own(self, name: str) -> bool:
        """Whether an entry belongs to faultdiag itself."""
        return name in self._own

    def register(self, name: str, builder: Callable[..., T]) -> None:
        """Add an entry for this process, such as a block that a notebook defines.

        Parameters
        ----------
        name
            A new name; registering it again replaces the builder.
        builder
            A class or function with the same positional parameters as the other entries; its
            keyword-only parameters are its options.

        Raises
        ------
        FaultdiagError
            If the name is one of ours or of an installed package, or the builder is not callable.
        """
        if name in self._own or name in self._plugins:
            raise FaultdiagError(
                f"there is already a {self.kind} '{name}'; register yours under another name"
            )
        if not callable(builder):
            raise FaultdiagError(
                f"{self.kind} '{name}' is {builder!r}; give a class or function that builds it"
            )
        self._registered[name] = builder

    def get(self, name: str) -> Callable[..., T]:
        """Import and return the builder registered as `name`.

        Raises
        ------
        FaultdiagError
            If no entry has this name; the message holds the nearest one.
        """
        if name not in self:
            raise unknown(self.kind, name, self)
        if name in self._registered:
            return self._registered[name]
        if name in self._plugins:
            return self._plugin(name)
        return cast("Callable[..., T]", _attribute(self._own[name]))

    def _plugin(self, name: str) -> Callable[..., T]:
        """Import the builder that an installed package adds."""
        place = f"in the entry-point group '{self.group}'"
        if name in self._own:
            raise FaultdiagError(
                f"an installed package adds a {self.kind} '{name}' {place}, but faultdiag has one "
                "of that name; uninstall the package or rename its entry"
            )
        try:
            return cast("Callable[..., T]", _attribute(self._plugins[name]))
        except (ImportError, AttributeError) as error:
            raise FaultdiagError(
                f"{self.kind} '{name}' is {self._plugins[name]} {place}, which cannot be imported: "
                f"{error}; install what it needs, or uninstall the package that adds it"
            ) from error

    def options(self, name: str) -> dict[str, Option]:
        """Return the options of an entry: its builder's keyword-only parameters.

        Raises
        ------
        FaultdiagError
            If no entry has this name.
        """
        builder = self.get(name)
        target = builder.__init__ if inspect.isclass(builder) else builder
        hints = get_type_hints(target, include_extras=True)
        return {
            p.name: Option(p.name, hints.get(p.name, Any), p.default, p.default is p.empty)
            for p in inspect.signature(builder).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }

    def check_options(self, name: str, options: Document) -> Json:
        """Check options against the builder's signature and return them with their types applied.

        Raises
        ------
        FaultdiagError
            For an unknown entry, an unknown option (with the nearest known one), a missing one,
            or a value of another type; every problem is named in the one message.
        """
        checked, problems = self._check(name, options)
        if problems:
            raise FaultdiagError("; ".join(problems.values()))
        return checked

    def problems(self, name: str, options: Document) -> dict[str, str]:
        """Return the problems of the options of an entry: option -> message.

        Raises
        ------
        FaultdiagError
            If no entry has this name.
        """
        return self._check(name, options)[1]

    def _check(self, name: str, options: Document) -> tuple[Json, dict[str, str]]:
        from pydantic import TypeAdapter, ValidationError

        known = self.options(name)
        entry = f"{self.kind} '{name}'"
        problems = {
            key: f"{entry} has no option '{key}'{did_you_mean(key, known)}; "
            f"it has: {', '.join(sorted(known)) or 'none'}"
            for key in _beyond(options, known)
        }
        required = [key for key, option in known.items() if option.required]
        problems |= {key: f"{entry} needs the option '{key}'" for key in _beyond(required, options)}
        checked: Json = {}
        for key in [key for key in options if key in known]:
            try:
                checked[key] = TypeAdapter(known[key].type).validate_python(options[key])
            except ValidationError as error:
                reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                problems[key] = f"{entry}: {key} is {options[key]!r}; {reason}"
        return checked, problems

    def build(self, name: str, /, *args: object, **options: object) -> T:
        """Build an entry from positional arguments and checked options.

        Raises
        ------
        FaultdiagError
            If there is no such entry, or its options are invalid.
        """
        return self.get(name)(*args, **self.check_options(name, options))


def _beyond(keys: Iterable[str], known: Container[str]) -> list[str]:
    """Return the keys that are not among the known ones, in their order."""
    return [key for key in keys if key not in known]


def _attribute(entry: str) -> object:
    module, _, attribute = entry.partition(":")
    return getattr(import_module(module), attribute)
