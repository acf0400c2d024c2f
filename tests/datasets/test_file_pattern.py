"""Patterns of file names: which text each field takes, and what can't be a pattern."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.datasets.facts import FilePattern, first_fit, number_or_text
from faultdiag.errors import FaultdiagError


@pytest.mark.parametrize(
    ("pattern", "path", "facts"),
    [
        ("{fault}_{rpm}.mat", "OR_900.mat", {"fault": "OR", "rpm": 900}),
        ("{fault}_{rpm}", "deep/er/OR_900.MAT", {"fault": "OR", "rpm": 900}),
        ("{fault}_{rpm}", "OR_900.mat.bak", None),
        ("{fault}_{rpm}", "OR_900_2.mat", None),
        ("{fault}-{load}", "OR-0.5.mat", {"fault": "OR", "load": 0.5}),
        (
            "{fault:alpha}{size}_{rpm}",
            "IR007_1797.mat",
            {"fault": "IR", "size": "007", "rpm": 1797},
        ),
        # Letters are never left to the next field.
        ("{fault:alpha}{size}_{rpm}", "OR_900.mat", None),
        ("{fault}{size:int}", "B014.mat", {"fault": "B", "size": 14}),
        ("{a:float}mm", ".5mm.mat", {"a": 0.5}),
        ("{a:float}", "3.mat", {"a": 3.0}),
        ("{load:int}", "-3.mat", {"load": -3}),
        ("{x:word}", "a_b_1.mat", {"x": "a_b_1"}),
        ("{x}", "a b.mat", None),
        ("{x:any}", "day 1 - rig_2.mat", {"x": "day 1 - rig_2"}),
        ("{rig}/{fault}_{rpm}", "all/rig1/IR_900.mat", {"rig": "rig1", "fault": "IR", "rpm": 900}),
        ("{rig}/{fault}_{rpm}", "IR_900.mat", None),
        # Signs that mean something in regular expressions stand for themselves.
        ("a.b+({x})[1]$", "a.b+(7)[1]$.mat", {"x": 7}),
        ("a.b+({x})[1]$", "aab(7)1.mat", None),
        ("{{{x}}}", "{7}.mat", {"x": 7}),
    ],
)
def test_what_a_pattern_makes_of_a_path(pattern: str, path: str, facts: Any) -> None:
    assert FilePattern(pattern).facts(path) == facts


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("IR_900.mat", "'IR_900.mat' has no field; write fields in braces, as in '{fault}_{rpm}'"),
        ("", "'' has no field"),
        (
            "{fault:letters}_{rpm}",
            "field 'fault': unknown converter 'letters'; known: alpha, any, float, int, word",
        ),
        ("{a:alhpa}", "unknown converter 'alhpa' (did you mean 'alpha'?)"),
        ("{a}_{b}_{a}", "has the field 'a' twice; give each its own name"),
        ("{a}{b}", "nothing tells where 'a' ends and 'b' begins; give one of them a converter"),
        ("{a:int}{b:int}", "nothing tells where 'a' ends"),
        ("{}_{b}", "has the field {}; a field's name is letters, digits and '_'"),
        ("{1a}", "has the field {1a}; a field's name"),
        ("{a!r}", "has the field {a!r}; a field's name"),
        ("{a.b}", "has the field {a.b}; a field's name"),
        ("{a", "'{a' can't be read (expected '}' before end of string); write fields in braces"),
        ("a}_{b}", "can't be read (Single '}' encountered in format string)"),
        ("{rig}\\{fault}", "has a backslash; write '/' between folders"),
    ],
)
def test_what_is_no_pattern(pattern: str, message: str) -> None:
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        FilePattern(pattern)


def test_of_several_patterns_the_first_that_fits_counts() -> None:
    patterns = [FilePattern("{fault:alpha}{size}_{rpm}"), FilePattern("{fault:alpha}_{rpm}")]
    assert first_fit(patterns, "IR5_900.mat") == {"fault": "IR", "size": 5, "rpm": 900}
    assert first_fit(patterns, "N_900.mat") == {"fault": "N", "size": None, "rpm": 900}
    assert first_fit(patterns, "N.mat") is None


@given(st.integers(-(10**9), 10**9) | st.text("0123456789.-e", max_size=6))
def test_text_becomes_a_number_only_if_nothing_is_lost(value: int | str) -> None:
    found = number_or_text(str(value))
    if isinstance(found, int):
        assert str(found) == str(value)
    elif isinstance(found, float):
        assert float(str(value)) == found
    else:
        assert found == value


words = st.from_regex(r"\A[A-Za-z]{1,5}\Z")


@given(words, st.integers(0, 9999), words)
def test_what_was_written_by_a_pattern_is_read_by_it(fault: str, rpm: int, rig: str) -> None:
    path = f"{rig}/{fault}_{rpm}.mat"
    assert FilePattern("{rig}/{fault}_{rpm}").facts(path) == {
        "rig": rig,
        "fault": fault,
        "rpm": rpm,
    }
    assert FilePattern("{fault:alpha}_{rpm:int}.mat").facts(path) == {"fault": fault, "rpm": rpm}
