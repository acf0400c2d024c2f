"""A recording checks itself once, and every error names its file."""

import re
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.signal.recording import Recording, Segment

SOURCE = Path("rig/105.mat")


def make(signal: Any, channels: tuple[str, ...] = ("DE",), **known: Any) -> Recording:
    return Recording(signal, SOURCE, channels, **known)


def two_channels() -> Recording:
    signal = np.arange(10, dtype=np.float64).reshape(2, 5)
    return make(signal, ("DE", "FE"), sampling_rate=12000, rpm=1797, facts={"load_hp": 0})


def test_a_recording_keeps_its_signal_as_read_only_float32() -> None:
    recording = make(np.array([[1, 2, 3]], dtype=">i2"))
    assert recording.signal.dtype == np.float32
    assert recording.signal.dtype.isnative
    assert recording.signal.tolist() == [[1.0, 2.0, 3.0]]
    with pytest.raises(ValueError, match="read-only"):
        recording.signal[0, 0] = 5


def test_float32_is_not_copied_and_the_callers_array_stays_writeable() -> None:
    signal = np.ones((1, 4), dtype=np.float32)
    recording = make(signal)
    assert np.shares_memory(recording.signal, signal)
    assert signal.flags.writeable


def test_a_transposed_table_becomes_contiguous() -> None:
    signal = np.arange(8, dtype=np.float32).reshape(4, 2).T
    recording = make(signal, ("a", "b"))
    assert recording.signal.flags.c_contiguous
    assert recording.signal.tolist() == [[0, 2, 4, 6], [1, 3, 5, 7]]


def test_a_recording_is_frozen_with_its_facts() -> None:
    facts = {"load_hp": 2}
    recording = make([[1.0, 2.0]], facts=facts)
    facts["load_hp"] = 3
    assert recording.facts == {"load_hp": 2}
    with pytest.raises(TypeError, match="item assignment"):
        recording.facts["load_hp"] = 1  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        recording.rpm = 1.0  # type: ignore[misc]


def test_plain_sequences_and_text_paths_are_taken() -> None:
    recording = Recording([[1.0, 2.0, 3.0]], "a.mat", ["DE"])  # type: ignore[arg-type]
    assert (recording.source, recording.channels, recording.samples) == (Path("a.mat"), ("DE",), 3)


@pytest.mark.parametrize(
    ("signal", "found"),
    [
        (np.zeros(4), "(4,)"),
        (np.zeros((1, 2, 3)), "(1, 2, 3)"),
        (np.zeros((0, 4)), "(0, 4)"),
        (np.zeros((1, 0)), "(1, 0)"),
        (3.0, "()"),
    ],
)
def test_a_signal_of_another_shape(signal: Any, found: str) -> None:
    expected = (
        f"{SOURCE}: a signal must have the shape (channels, samples), both at least 1; "
        f"found {found}"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        make(signal)


@pytest.mark.parametrize("dtype", ["complex64", "bool", "U3", "O"])
def test_a_signal_of_something_else_than_real_numbers(dtype: str) -> None:
    expected = f"{SOURCE}: a signal must be real numbers; found {np.dtype(dtype)}"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        make(np.ones((1, 3)).astype(dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_counted_and_placed(bad: float) -> None:
    signal = np.zeros((2, 50))
    signal[1, [7, 9]] = bad
    expected = (
        f"{SOURCE}: 2 of 100 samples are NaN or infinite, the first at sample 7 of channel FE; "
        "fix or delete them first"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        make(signal, ("DE", "FE"))


def test_samples_that_float32_cannot_hold() -> None:
    expected = (
        f"{SOURCE}: 1 of 3 samples are beyond 3.4e38, the first at sample 2 of channel DE; "
        "fix or delete them first"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        make([[1.0, 2.0, -1e39]])


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (("DE",), "2 channels but 1 names: DE"),
        (("DE", "FE", "BA"), "2 channels but 3 names: DE, FE, BA"),
        (("DE", "DE"), "two channels have the same name: DE, DE; each needs its own"),
    ],
)
def test_names_that_do_not_fit_the_channels(channels: tuple[str, ...], expected: str) -> None:
    with pytest.raises(FaultdiagError, match=f"^{re.escape(f'{SOURCE}: {expected}')}$"):
        make(np.zeros((2, 3)), channels)


@pytest.mark.parametrize("value", [0, -12000, np.nan, np.inf])
@pytest.mark.parametrize(("field", "name"), [("sampling_rate", "sampling rate"), ("rpm", "rpm")])
def test_a_rate_or_speed_that_is_no_positive_number(field: str, name: str, value: float) -> None:
    expected = f"{SOURCE}: {name} must be a positive number; found {value}"
    known: dict[str, Any] = {field: value}
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        make([[1.0, 2.0]], **known)


def test_rate_and_speed_may_be_unknown() -> None:
    recording = make([[1.0, 2.0]])
    assert (recording.sampling_rate, recording.rpm, recording.facts) == (None, None, {})


def test_select_gives_channels_in_the_order_asked_for_and_keeps_the_rest() -> None:
    recording = two_channels().select(["FE", "DE"])
    assert recording.channels == ("FE", "DE")
    assert recording.signal.tolist() == [[5, 6, 7, 8, 9], [0, 1, 2, 3, 4]]
    assert (recording.sampling_rate, recording.rpm) == (12000, 1797)
    assert (recording.facts, recording.source) == ({"load_hp": 0}, SOURCE)
    assert two_channels().select(["FE"]).signal.tolist() == [[5, 6, 7, 8, 9]]


def test_select_of_a_channel_that_is_not_there() -> None:
    expected = f"{SOURCE} has no channel 'de' (did you mean 'DE'?); it has: DE, FE"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        two_channels().select(["FE", "de"])


def test_a_dead_channel_is_refused_by_name_and_value() -> None:
    signal = np.array([[0.0, 1.0, 0.0], [0.25, 0.25, 0.25]])
    expected = (
        f"{SOURCE}: channel FE is constant: all 3 samples are 0.25; a vibration signal is needed "
        "(unplugged sensor?)"
    )
    recording = make(signal, ("DE", "FE"))
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        recording.require_varying()
    recording.select(["DE"]).require_varying()


def test_segments_know_their_length_and_are_ordered() -> None:
    assert Segment(0, 10, 25).samples == 15
    unordered = [Segment(1, 0, 5), Segment(0, 9, 12), Segment(0, 2, 9)]
    assert sorted(unordered) == [Segment(0, 2, 9), Segment(0, 9, 12), Segment(1, 0, 5)]
