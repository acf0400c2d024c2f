"""Windows and strides that fit the lengths of recordings."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.guess.choices import guess_sizes
from faultdiag.guess.guessing import Setting, config_text
from faultdiag.guess.signals import split_comment
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.within import SplitItem, within_recording
from faultdiag.system.files import parse


@pytest.mark.parametrize(
    ("samples", "rate", "rpm", "length", "fractions"),
    [
        (120_000, 12_000, None, 2048, [0.7, 0.2, 0.1]),
        (120_000, 12_000, 1797, 2048, [0.7, 0.2, 0.1]),
        (262_144, 20_000, 1000, 4096, [0.7, 0.2, 0.1]),
        (146_484, 48_828, 1500, 4096, [0.6, 0.2, 0.2]),
        (30_000, 12_000, None, 1024, [0.6, 0.2, 0.2]),
        (7_000, 12_000, None, 512, [0.6, 0.2, 0.2]),
        (10**7, 100_000, 60, 8192, [0.7, 0.2, 0.1]),
    ],
)
def test_lengths(
    samples: int, rate: float, rpm: float | None, length: int, fractions: list[float]
) -> None:
    sizes = guess_sizes({"N": [samples], "IR": [samples]}, {"N": 1, "IR": 1}, rate, rpm)
    assert (sizes.length, sizes.split["fractions"]) == (length, fractions)


@given(
    st.lists(st.integers(5000, 10**6), min_size=1, max_size=4),
    st.none() | st.floats(100, 6000),
    st.floats(1000, 100_000),
)
def test_every_recording_has_a_window_in_every_part(
    lengths: list[int], rpm: float | None, rate: float
) -> None:
    sizes = guess_sizes({"N": lengths, "IR": lengths}, {"N": 4, "IR": 9}, rate, rpm)
    items = [SplitItem(str(i), n, "N") for i, n in enumerate(lengths)]
    plan = WindowPlan(sizes.length, sizes.stride, None, sizes.length)
    options = {key: sizes.split[key] for key in ("fractions", "gap")}
    split = within_recording(items, plan, 0, **options)
    assert all(s.samples >= sizes.length for part in split.parts.values() for s in part)
    assert 16 <= sizes.stride <= sizes.length


def test_recordings_too_short_for_any_window() -> None:
    message = "the shortest recording has 3000 samples; 6144 are needed to cut each recording into"
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        guess_sizes({"N": [3000], "IR": [9000]}, {"N": 1, "IR": 1}, 12_000, None)


def test_a_fact_that_every_class_has_two_values_of_can_be_held_out() -> None:
    facts = [{"code": c, "load": load} for c in "NI" for load in (0, 3)]
    text = split_comment(["N", "N", "I", "I"], facts)
    assert "{strategy: across, fact: load, test: [3]}" in text
    assert "a class has one only" not in text
    text = split_comment(["N", "I", "I"], [{"load": 0}, {"load": 0}, {"load": 3}])
    assert "across" not in text
    assert "(a class has one only)" in text


def test_a_config_is_read_back_as_it_was_meant() -> None:
    value = ["a: b", "007", 'x"y', "{c}", None, 1.5, {"k": [1]}]
    text = config_text(
        ["A\nB"], {"": [Setting("seed", 0)], "data": [Setting("root", value, "why\nnot # 1")]}
    )
    assert parse(text, "it") == {"seed": 0, "data": {"root": value}}
    assert "# A?B\n" in text
