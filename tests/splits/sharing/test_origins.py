"""Which run, which bearing, which condition a recording comes from."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.preparing.folder import PreparedRecording
from faultdiag.splits.sharing import Origin, origins


def recording(
    rpm: float | None = None, recorded_at: float = 12_000, **facts: Any
) -> PreparedRecording:
    return PreparedRecording(
        name="r",
        source="",
        sha256="",
        label="N",
        samples=1,
        offset=0,
        rpm=rpm,
        recorded_at=recorded_at,
        facts=facts,
    )


def of(*recordings: PreparedRecording, copies: Iterable[tuple[int, int]] = ()) -> list[Origin]:
    return origins(recordings, 12_000, copies)


def test_the_bearing_is_the_specimen() -> None:
    rows = [
        recording(specimen="DE-IR-007", bearing="6205"),
        recording(specimen=None, bearing="own 3"),
        recording(bearing="own 3"),
    ]
    assert [o.bearing for o in of(*rows)] == ["DE-IR-007", None, None]


@pytest.mark.parametrize(
    ("value", "bearing"),
    [
        ("B1", "B1"),
        (7, 7.0),
        ("6205", None),
        (6205, None),
        ("6203-2RS JEM", None),
        ("9,0.3126,1.537", None),
        ("", None),
        (None, None),
    ],
)
def test_without_specimens_it_is_the_bearing_unless_that_is_a_type(
    value: object, bearing: str | float | None
) -> None:
    assert of(recording(bearing=value))[0].bearing == bearing


def test_the_condition_is_the_load_in_horsepower() -> None:
    # Nominal and measured speeds of one load differ by more than those of two loads may.
    rows = [
        recording(load_hp=0, rpm=1797),
        recording(load_hp="0", rpm=1774),
        recording(load_hp=1, rpm=1772),
    ]
    first, second, third = (o.condition for o in of(*rows))
    assert first == second != third


def test_a_load_counts_with_the_speed() -> None:
    rows = [
        recording(load=1000, rpm=900),
        recording(load=1000, rpm=903),
        recording(load=1000, rpm=1500),
        recording(load=400, rpm=900),
        recording(load=400),
    ]
    found = [o.condition for o in of(*rows)]
    assert found[0] == found[1]
    assert len(set(found)) == 4
    assert None not in found


def test_without_a_load_the_speed_is_the_condition_within_a_percent() -> None:
    speeds = [1000.0, None, 1004.9, 995.0, 1010.1, 2000.0]
    found = [o.condition for o in of(*(recording(rpm=s) for s in speeds))]
    assert found[0] == found[2] == found[3] != found[4]
    assert found[1] is None
    assert len(set(found)) == 4


def test_how_many_prepared_samples_a_recorded_one_makes() -> None:
    assert [o.factor for o in of(recording(), recording(recorded_at=48_000))] == [1.0, 0.25]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_copies_of_copies_are_one_run(copies: list[tuple[int, int]]) -> None:
    groups = [{i} for i in range(10)]
    for one, other in copies:
        merged = groups[one] | groups[other]
        for i in merged:
            groups[i] = merged
    found = [o.run for o in of(*[recording()] * 10, copies=copies)]
    assert found == [min(group) for group in groups]
