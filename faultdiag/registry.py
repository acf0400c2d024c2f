"""Names to builders, looked up late and checked against the builder's own signature.

A registry is a table ``name -> "module:object"``. The names are known without importing
anything heavy; the object is imported when it is first asked for. A component's options are
exactly its builder's keyword-only parameters.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar, cast, get_type_hints

from faultdiag.errors import FaultdiagError, did_you_mean, unknown

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """One option of a component: its name, type, default, and whether it must be given."""

    name: str
    type: Any
    default: Any
    required: bool


class Registry(Generic[T]):
    """A table of named builders of one kind.

    Parameters
    ----------
    kind
        What the entries are, in the words of an error message: ``"attention block"``.
    entries
        ``name -> "module:object"``.
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def get(self, name: str) -> Callable[..., T]:
        """Import and give the builder registered as `name`.

        Raises
        ------
        FaultdiagError
            If no entry has this name; the message holds the nearest one.
        """
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        module, _, attribute = self._entries[name].partition(":")
        return cast("Callable[..., T]", getattr(import_module(module), attribute))

    def options(self, name: str) -> dict[str, Option]:
        """Give the options of an entry: its builder's keyword-only parameters.

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

    def check_options(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Check options against the builder's signature and give them with their types applied.

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

    def problems(self, name: str, options: Mapping[str, Any]) -> dict[str, str]:
        """Give what is wrong with the options of an entry: option -> message.

        Raises
        ------
        FaultdiagError
            If no entry has this name.
        """
        return self._check(name, options)[1]

    def _check(
        self, name: str, options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        from pydantic import TypeAdapter, ValidationError

        known = self.options(name)
        entry = f"{self.kind} '{name}'"
        problems = {
            key: f"{entry} has no option '{key}'{did_you_mean(key, known)}; "
            f"it has: {', '.join(sorted(known)) or 'none'}"
            for key in options
            if key not in known
        }
        for key, option in known.items():
            if option.required and key not in options:
                problems[key] = f"{entry} needs the option '{key}'"
        checked: dict[str, Any] = {}
        for key in [key for key in options if key in known]:
            try:
                checked[key] = TypeAdapter(known[key].type).validate_python(options[key])
            except ValidationError as error:
                reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                problems[key] = f"{entry}: {key} is {options[key]!r}; {reason}"
        return checked, problems

    def build(self, name: str, /, *args: Any, **options: Any) -> T:
        """Build an entry from positional arguments and checked options.

        Raises
        ------
        FaultdiagError
            If there is no such entry, or its options are not as they should be.
        """
        return self.get(name)(*args, **self.check_options(name, options))
