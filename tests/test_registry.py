"""Registries: late lookup, and options checked against the builder's own signature."""

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Field

from faultdiag.errors import FaultdiagError
from faultdiag.registry import Option, Registry


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("give an odd number")
    return value


Width = Annotated[int, Field(ge=1)]
Odd = Annotated[int, AfterValidator(_odd)]


class Filter:
    """A class as a builder; the positional parameter is no option."""

    def __init__(
        self, channels: int, *, width: Width = 3, taps: tuple[float, ...] = (), name: str = "fir"
    ) -> None:
        self.settings = (channels, width, taps, name)


def gain(*, factor: float, odd: Odd = 1) -> str:
    """Return a function as a builder, with a required option."""
    return f"{factor}*{odd}"


def plain(x: int) -> int:
    """Return its argument: a builder without options."""
    return x


FILTERS: Registry[Any] = Registry(
    "filter",
    {
        "filter": f"{__name__}:Filter",
        "gain": f"{__name__}:gain",
        "plain": f"{__name__}:plain",
        "late": "no_such_module:Thing",
    },
)


def message(call: Callable[[], object]) -> str:
    with pytest.raises(FaultdiagError) as caught:
        call()
    return str(caught.value)


def test_names_are_known_without_importing_what_they_stand_for() -> None:
    assert list(FILTERS) == ["filter", "gain", "plain", "late"]
    assert "late" in FILTERS
    assert "later" not in FILTERS
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        FILTERS.get("late")


def test_get_gives_the_builder() -> None:
    assert FILTERS.get("gain")(factor=2.0) == "2.0*1"


def test_an_unknown_name() -> None:
    expected = "unknown filter 'gian' (did you mean 'gain'?); known: filter, gain, late, plain"
    assert message(lambda: FILTERS.get("gian")) == expected
    assert message(lambda: FILTERS.options("gian")) == expected
    assert message(lambda: FILTERS.build("gian")) == expected


def test_options_are_the_keyword_only_parameters() -> None:
    assert FILTERS.options("filter") == {
        "width": Option("width", Width, 3, required=False),
        "taps": Option("taps", tuple[float, ...], (), required=False),
        "name": Option("name", str, "fir", required=False),
    }
    factor = FILTERS.options("gain")["factor"]
    assert (factor.type, factor.required) == (float, True)
    assert FILTERS.options("plain") == {}


def test_every_problem_is_in_the_one_message_in_the_order_given() -> None:
    options = {"tapps": [1], "odd": 4, "fctor": 1.0}
    assert message(lambda: FILTERS.check_options("gain", options)) == (
        "filter 'gain' has no option 'tapps'; it has: factor, odd; "
        "filter 'gain' has no option 'fctor' (did you mean 'factor'?); it has: factor, odd; "
        "filter 'gain' needs the option 'factor'; "
        "filter 'gain': odd is 4; give an odd number"
    )


def test_problems_are_given_by_option() -> None:
    found = FILTERS.problems("gain", {"odd": 4, "tapps": 1})
    assert found == {
        "tapps": "filter 'gain' has no option 'tapps'; it has: factor, odd",
        "factor": "filter 'gain' needs the option 'factor'",
        "odd": "filter 'gain': odd is 4; give an odd number",
    }
    assert FILTERS.problems("gain", {"factor": 2}) == {}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"width": 0}, "width is 0; Input should be greater than or equal to 1"),
        ({"width": "wide"}, "width is 'wide'; Input should be a valid integer"),
        ({"width": 2.5}, "width is 2.5; Input should be a valid integer"),
        ({"taps": [1.0, "x"]}, "taps is [1.0, 'x']; Input should be a valid number"),
        ({"name": None}, "name is None; Input should be a valid string"),
    ],
)
def test_a_value_of_another_type_or_out_of_range(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultdiagError, match=re.escape(f"filter 'filter': {reason}")):
        FILTERS.check_options("filter", options)


def test_all_wrong_values_are_told_in_the_order_given() -> None:
    text = message(lambda: FILTERS.check_options("filter", {"taps": 1, "name": 2, "width": 0}))
    assert [part.split(" is ")[0] for part in text.split("; filter ")] == [
        "filter 'filter': taps",
        "'filter': name",
        "'filter': width",
    ]


def test_a_builder_without_options_says_so() -> None:
    assert message(lambda: FILTERS.check_options("plain", {"x": 1})) == (
        "filter 'plain' has no option 'x'; it has: none"
    )


def test_checked_options_have_their_types_and_their_order() -> None:
    checked = FILTERS.check_options("filter", {"taps": [1, 2], "width": 5})
    assert list(checked.items()) == [("taps", (1.0, 2.0)), ("width", 5)]
    assert FILTERS.check_options("filter", {}) == {}


def test_build_passes_positional_arguments_and_checked_options() -> None:
    built = FILTERS.build("filter", 4, taps=[1], name="iir")
    assert built.settings == (4, 3, (1.0,), "iir")


def test_nothing_is_built_from_options_that_are_wrong() -> None:
    with pytest.raises(FaultdiagError, match="needs the option 'factor'"):
        FILTERS.build("gain")


def test_a_notebook_registers_a_builder() -> None:
    registry: Registry[Any] = Registry("filter", {"gain": f"{__name__}:gain"})
    registry.register("fir", Filter)
    assert registry.names() == ["gain", "fir"]
    assert registry.build("fir", 4, width=5).settings == (4, 5, (), "fir")
    assert not registry.is_own("fir")
    with pytest.raises(FaultdiagError, match="filter 'fir': width is 0; Input should be greater"):
        registry.build("fir", 4, width=0)
    with pytest.raises(FaultdiagError, match="there is already a filter 'gain'; register yours"):
        registry.register("gain", Filter)
    with pytest.raises(FaultdiagError, match="filter 'x' is 3; give a class or function"):
        registry.register("x", 3)  # type: ignore[arg-type]


def _installed(monkeypatch: pytest.MonkeyPatch, **entries: str) -> Registry[Any]:
    points = [EntryPoint(name, value, "my.filters") for name, value in entries.items()]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    return Registry("filter", {"gain": f"{__name__}:gain"}, group="my.filters")


def test_an_installed_package_adds_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = _installed(monkeypatch, fir=f"{__name__}:Filter")
    assert list(registry) == ["gain", "fir"]
    assert registry.build("fir", 2).settings == (2, 3, (), "fir")
    assert registry.options("fir").keys() == {"width", "taps", "name"}


def test_an_installed_package_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = _installed(monkeypatch, fir="no_such_module:Filter")
    with pytest.raises(FaultdiagError, match="'fir' is no_such_module:Filter in the entry-p"):
        registry.get("fir")
    registry = _installed(monkeypatch, gain=f"{__name__}:Filter")
    with pytest.raises(FaultdiagError, match=r"adds a filter 'gain' in the entry-point group 'my"):
        registry.get("gain")
