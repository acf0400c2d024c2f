"""Copies, scaled copies and excerpts among recordings, and no other pair."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faultdiag.datasets.cwru import Cwru
from faultdiag.readers.read import read_recording
from faultdiag.splits import duplicates
from faultdiag.splits.duplicates import Duplicate, Fingerprints, find_duplicates, fingerprint

Signal = NDArray[np.floating]

law = settings(max_examples=25, deadline=None)


def noise(samples: int, seed: int = 0, *, channels: int = 1) -> Signal:
    shape = (channels, samples)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def places(found: list[Duplicate]) -> list[tuple[tuple[int, int], tuple[int, int], int]]:
    return [(row.recordings, row.start, row.samples) for row in found]


def turning_points(signal: Signal) -> list[int]:
    """The samples after which a signal turns, one by one."""
    points, direction = [], 0.0
    for i, step in enumerate(np.sign(np.diff(signal)).tolist()):
        if step and direction and step != direction:
            points.append(i)
        direction = step or direction
    return points


@law
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=200),
    st.sampled_from([1, 2, 7, 64, 1000]),
)
def test_turning_points_in_pieces(values: list[int], piece: int) -> None:
    signal = np.array(values, dtype=np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "PIECE", piece)
        found = [place for part in duplicates._turning_points(signal) for place in part.tolist()]
    assert found == turning_points(signal)


@law
@given(st.integers(0, 2**32 - 1), st.integers(100, 5000))
def test_the_codes_of_pieces_are_those_of_the_whole(seed: int, piece: int) -> None:
    signal = noise(20_000, seed)[0]
    codes, where = fingerprint(signal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "PIECE", piece)
        again, there = fingerprint(signal)
    assert len(codes) > 200
    np.testing.assert_array_equal(codes, again)
    np.testing.assert_array_equal(where, there)


@law
@given(
    seed=st.integers(0, 2**32 - 1),
    start=st.integers(0, 20_000),
    samples=st.integers(2048, 10_000),
    scale=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3),
    offset=st.floats(-10, 10),
)
def test_an_excerpt_of_2048_samples_and_more_is_found_to_the_sample(
    seed: int, start: int, samples: int, scale: float, offset: float
) -> None:
    whole = noise(30_000, seed)
    excerpt = whole[:, start : start + samples].astype(np.float64) * scale + offset * scale
    [row] = find_duplicates([whole, noise(9000, seed + 1), excerpt.astype(np.float32)], 2048)
    assert (row.recordings, row.start, row.samples) == ((0, 2), (start, 0), samples)
    assert row.scale == pytest.approx(scale, rel=1e-5)
    assert row.offset == pytest.approx(offset * scale, rel=1e-4, abs=1e-5 * abs(scale))
    assert row.correlation == pytest.approx(np.sign(scale), abs=1e-6)


def test_recordings_that_overlap() -> None:
    run = noise(50_000)
    found = find_duplicates([run[:, :30_000], noise(30_000, 1), run[:, 20_000:]], 2048)
    assert places(found) == [((0, 2), (20_000, 0), 10_000)]


def test_a_piece_inside_another_recording() -> None:
    run, other = noise(20_000), noise(20_000, 1)
    other[:, 5_000:9_000] = 2 * run[:, 11_000:15_000]
    assert places(find_duplicates([run, other], 2048)) == [((0, 1), (11_000, 5_000), 4_000)]
    assert find_duplicates([run, other], 4_001) == []


def test_of_two_minima_the_smaller_holds() -> None:
    run = noise(20_000)
    prints = Fingerprints()
    signals = [run, run[:, :5_000]]
    for signal in signals:
        prints.add(signal)
    assert len(prints.find(signals.__getitem__, [20_000, 3_000])) == 1
    assert prints.find(signals.__getitem__, [20_000, 5_001]) == []


def test_a_recording_that_repeats_itself() -> None:
    run = noise(10_000)
    [row] = find_duplicates([np.hstack((run, run[:, 1_000:5_000]))], 2048)
    assert (row.recordings, row.samples) == ((0, 0), 4_000)
    assert sorted(row.start) == [1_000, 10_000]


def test_a_channel_that_is_a_scaled_copy_of_another() -> None:
    drive = noise(20_000)
    fan = 0.984848 * drive
    found = find_duplicates([noise(20_000, 1, channels=2), np.vstack((drive, fan))], 2048)
    [row] = found
    assert (row.recordings, row.channels, row.start) == ((1, 1), (0, 1), (0, 0))
    assert row.scale == pytest.approx(0.984848, rel=1e-6)


def test_channels_are_compared_across_recordings() -> None:
    first, second = noise(20_000, 1, channels=2), noise(20_000, 2, channels=2)
    second[0] = -first[1]
    [row] = find_duplicates([first, second], 2048)
    assert (row.recordings, row.channels, round(row.scale, 5)) == ((0, 1), (1, 0), -1.0)


def test_many_copies_are_all_linked_in_linear_time() -> None:
    run = noise(6_000)
    read: list[int] = []

    def signal(i: int) -> Signal:
        read.append(i)
        return run

    prints = Fingerprints()
    for _ in range(40):
        prints.add(run)
    found = prints.find(signal, [2048] * 40)
    assert {row.samples for row in found} == {6_000}
    assert {(i, i + 1) for i in range(39)} <= {row.recordings for row in found}
    assert len(found) <= 40 * duplicates.NEIGHBOURS
    assert len(read) <= 40 * duplicates.NEIGHBOURS + 40


def test_nothing_is_read_where_no_codes_agree() -> None:
    prints = Fingerprints()
    for seed in range(5):
        prints.add(noise(20_000, seed))
    assert prints.find(lambda i: pytest.fail(f"recording {i} was read"), [2048] * 5) == []


SHORT = [np.zeros((1, 0)), np.zeros((1, 1)), np.ones((1, 5_000)), noise(50), noise(300)]
REGULAR = {
    "sine": lambda t, k: np.sin(0.3 * t + k),
    "square": lambda t, k: np.sign(np.sin(0.01 * t + k)),
    "ramp": lambda t, k: (t + 10 * k) % 100,
    "step": lambda t, k: (t > 1000 * k).astype(float),
}


def test_short_and_constant_signals_have_no_copy() -> None:
    assert find_duplicates([], 10) == []
    assert find_duplicates(SHORT + SHORT, 10) == []


@pytest.mark.parametrize("shape", REGULAR.values(), ids=REGULAR)
def test_regular_signals_are_no_copies(shape: Callable[[Signal, int], Signal]) -> None:
    time = np.arange(30_000.0)
    assert find_duplicates([shape(time, k)[None] for k in range(4)], 2048) == []


def test_a_tone_in_noise_is_not_its_own_copy() -> None:
    tone = np.sin(0.3 * np.arange(30_000)) + 0.5 * np.sin(0.6 * np.arange(30_000))
    assert find_duplicates([tone + 0.05 * noise(30_000, seed) for seed in range(6)], 2048) == []


def test_a_row_survives_json() -> None:
    [row] = find_duplicates([noise(5_000), noise(5_000)], 2048)
    assert Duplicate.from_dict(json.loads(json.dumps(asdict(row)))) == row


def to_16_bits(signal: Signal) -> Signal:
    return np.round(signal / np.abs(signal).max() * 32767).astype(np.float32)


def to_six_digits(signal: Signal) -> Signal:
    text = [f"{value:.6f}" for value in signal[0]]
    return np.array([text], dtype=np.float32)


CHANGES: dict[str, Callable[[Signal], Signal]] = {
    "none": lambda x: x,
    "scale and offset": lambda x: np.float32(-0.371) * x + np.float32(2.5),
    "16 bits": to_16_bits,
    "six digits": to_six_digits,
}


@pytest.fixture(scope="module")
def cwru(real_data: Path) -> dict[str, Signal]:
    """Every channel of every real recording."""
    entries = Cwru(real_data / "cwru").entries({}).entries
    return {entry.name: read_recording(entry.path).signal for entry in entries}


@pytest.mark.real
def test_no_two_real_recordings_are_taken_for_copies(cwru: dict[str, Signal]) -> None:
    prints = Fingerprints()
    for signal in cwru.values():
        prints.add(signal)
    signals, suspected = list(cwru.values()), set[int]()

    def read(i: int) -> Signal:
        suspected.add(i)
        return signals[i]

    assert prints.find(read, [256] * len(cwru)) == []
    # Only some (fan end, nearly tonal) are so alike that their samples have to be compared.
    assert len(suspected) < len(cwru) / 4


@pytest.mark.real
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_excerpts_of_real_recordings_are_found(
    change: Callable[[Signal], Signal], cwru: dict[str, Signal]
) -> None:
    names = ["97", "105", "118", "174", "200", "3001"]
    whole = [cwru[name][:1] for name in names]
    pieces = [change(signal[:, 30_011 : 30_011 + 4096]) for signal in whole]
    found = find_duplicates([*whole, *pieces], 2048)
    count = len(names)
    assert places(found) == [((i, count + i), (30_011, 0), 4096) for i in range(count)]
