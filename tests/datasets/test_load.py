"""Reading entries: the file's own rate and speed, the catalogue's where it has none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.datasets.base import Entry
from faultdiag.datasets.load import load_entry
from faultdiag.errors import FaultdiagError

TIME = np.arange(4800) / 48000
TONE = np.sin(2 * np.pi * 1000 * TIME)


def entry(
    path: Path,
    variables: Mapping[str, Any],
    rate: float | None = 48000.0,
    rpm: float | None = 1797.0,
) -> Entry:
    from scipy.io import savemat

    savemat(path, dict(variables))
    return Entry(path, {"code": "N", "rpm": 1797}, rate, rpm, "97")


def test_the_catalogue_fills_rate_speed_and_facts(tmp_path: Path) -> None:
    found = entry(tmp_path / "97.mat", {"X097_DE_time": TONE, "X097_FE_time": -TONE})
    recording = load_entry(found, ["FE"])
    assert recording.channels == ("FE",)
    assert (recording.sampling_rate, recording.rpm, recording.samples) == (48000, 1797, 4800)
    assert dict(recording.facts) == {"code": "N", "rpm": 1797}


def test_the_files_own_speed_and_rate_win(tmp_path: Path) -> None:
    found = entry(tmp_path / "97.mat", {"X097_DE_time": TONE, "X097RPM": 1796.0})
    assert load_entry(found, ["DE"]).rpm == 1796
    found = entry(tmp_path / "u.mat", {"Data": TONE, "SampleFrequency": 20000.0}, rpm=None)
    recording = load_entry(found, ["Data"])
    assert (recording.sampling_rate, recording.rpm) == (20000, None)


def test_another_rate_is_reached_by_resampling(tmp_path: Path) -> None:
    found = entry(tmp_path / "97.mat", {"X097_DE_time": TONE})
    recording = load_entry(found, ["DE"], 12000)
    assert (recording.sampling_rate, recording.samples) == (12000, 1200)
    np.testing.assert_allclose(recording.signal[0, 200:1000], TONE[::4][200:1000], atol=2e-3)
    same = load_entry(found, ["DE"], 48000)
    np.testing.assert_array_equal(same.signal[0], TONE.astype(np.float32))


def test_a_rate_that_nothing_states(tmp_path: Path) -> None:
    found = entry(tmp_path / "97.mat", {"X097_DE_time": TONE}, rate=None)
    with pytest.raises(
        FaultdiagError,
        match=r"97\.mat: neither the file nor the dataset states its sampling rate; state it wh",
    ):
        load_entry(found, ["DE"], 12000)


def test_a_dead_channel_is_refused_if_it_is_read(tmp_path: Path) -> None:
    found = entry(tmp_path / "97.mat", {"X097_DE_time": TONE, "X097_FE_time": np.full(4800, 0.5)})
    assert load_entry(found, ["DE"]).samples == 4800
    with pytest.raises(FaultdiagError, match=r"97\.mat: channel FE is constant"):
        load_entry(found, ["DE", "FE"])


def test_channels_of_other_names_are_taken_where_the_dataset_allows_it(tmp_path: Path) -> None:
    found = entry(tmp_path / "97.mat", {"X097_DE_time": TONE})
    with pytest.raises(FaultdiagError, match=r"has no channel 'FE'.*; it has: DE"):
        load_entry(found, ["FE"])
    assert load_entry(replace(found, any_channel=True), ["FE"]).channels == ("DE",)
    # By the name of its variable it is the one asked for.
    assert load_entry(found, ["X097_DE_time"]).channels == ("X097_DE_time",)


def test_some_names_that_are_there_are_no_other_names(tmp_path: Path) -> None:
    found = entry(tmp_path / "97.mat", {"X097_DE_time": TONE, "X097_BA_time": -TONE})
    free = replace(found, any_channel=True)
    with pytest.raises(FaultdiagError, match="has no channel 'FE'"):
        load_entry(free, ["DE", "FE"])
    assert load_entry(free, ["x", "y"]).channels == ("DE", "BA")
    with pytest.raises(
        FaultdiagError, match=r"has 2 channels \(DE, BA\), data.channels asks for 1 \(x\)"
    ):
        load_entry(free, ["x"])


def test_the_dataset_names_the_channel(tmp_path: Path) -> None:
    found = entry(tmp_path / "97.mat", {"X097_DE_time": TONE, "X097_FE_time": -TONE})
    recording = load_entry(replace(found, channels=("FE",)), ["vertical"])
    assert recording.channels == ("vertical",)
    np.testing.assert_array_equal(recording.signal[0], -TONE.astype(np.float32))
