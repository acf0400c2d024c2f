"""Rates that a dataset states, against the shaft orders of its recordings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from faultdiag.api.check import check_config
from faultdiag.config.schema import parse_config
from faultdiag.datasets.base import Entry
from faultdiag.datasets.cwru import Cwru
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.rate_check import (
    RateCheck,
    StatedRate,
    Verdict,
    check_stated_rate,
    survey_rates,
)
from faultdiag.report.inspection import rate_lines


def shaft(path: Path, *, fs: float = 12_000, rpm: float = 1797, seconds: float = 10) -> Path:
    """Write lines at the whole orders of a shaft in noise, with no rate and no speed."""
    rng = np.random.default_rng(0)
    turns = rpm / 60 * np.arange(round(seconds * fs)) / fs
    signal = rng.normal(size=turns.size)
    for order in range(1, 32):
        signal += 0.1 * np.cos(2 * np.pi * order * turns + rng.uniform(0, 6))
    savemat(path, {"X105_DE_time": signal[:, None]})
    return path


def entry(path: Path, sampling_rate: float | None, rpm: float | None = 1797) -> Entry:
    return Entry(path=path, facts={}, sampling_rate=sampling_rate, rpm=rpm, name=path.stem)


@pytest.fixture
def pump(tmp_path: Path) -> Path:
    return shaft(tmp_path / "pump.mat")


@pytest.mark.parametrize(
    ("stated", "verdict", "suggested"),
    [
        (12_000, "consistent", None),
        (48_000, "contradicted", 12_000),
        (3_000, "contradicted", 12_000),
    ],
)
def test_the_rate_that_a_dataset_states(
    stated: float, verdict: str, suggested: float | None, pump: Path
) -> None:
    found = check_stated_rate(entry(pump, stated), ["DE"])
    assert (found.name, found.rate) == ("pump", stated)
    assert (found.check.verdict, found.check.suggested) == (verdict, suggested)


def test_without_a_speed_nothing_is_decided(pump: Path) -> None:
    check = check_stated_rate(entry(pump, 48_000, rpm=None), ["DE"]).check
    assert (check.verdict, check.reason) == ("undecided", "the shaft speed is not known")


def test_without_a_rate_it_says_so(pump: Path) -> None:
    with pytest.raises(FaultdiagError, match="neither the file nor the dataset states its sampl"):
        survey_rates([entry(pump, None)], ["DE"])


def rate(
    name: str, verdict: Verdict, stated: float = 12_000, suggested: float | None = None
) -> StatedRate:
    return StatedRate(name, stated, RateCheck(verdict, suggested, "reason"))


def test_the_lines() -> None:
    rates = [
        rate("97", "contradicted", 12_000, 48_000),
        rate("105", "consistent"),
        rate("99", "contradicted", 12_000, 48_000),
        rate("174", "undecided"),
        rate("106", "contradicted", 3_000, 12_000),
    ]
    assert rate_lines(rates) == [
        "sampling rates against shaft orders: 1 consistent, 3 contradicted, 1 undecided (174)",
        "RATE: stated to be sampled at 12000 Hz, but the shaft orders fit 48000 Hz: 97, 99",
        "RATE: stated to be sampled at 3000 Hz, but the shaft orders fit 12000 Hz: 106",
    ]
    many = [rate(str(i), "undecided") for i in range(10)]
    assert rate_lines(many) == [
        "sampling rates against shaft orders: 0 consistent, 0 contradicted, 10 undecided "
        "(0, 1, 2, 3, 4, 5, 6, 7 and 2 more)"
    ]


@pytest.fixture(scope="module")
def cwru(real_data: Path) -> list[Entry]:
    return Cwru(real_data / "cwru").entries({}).entries


def stating(entries: Sequence[Entry], factor: float) -> list[Entry]:
    return [replace(e, sampling_rate=(e.sampling_rate or 0) * factor) for e in entries]


@pytest.mark.real
def test_no_real_recording_is_contradicted_at_its_rate(cwru: list[Entry]) -> None:
    fitting = len(cwru) - 1
    assert rate_lines(survey_rates(cwru, ["DE"])) == [
        f"sampling rates against shaft orders: {fitting} consistent, 0 contradicted, "
        "1 undecided (174)"
    ]


@pytest.mark.real
def test_real_recordings_stated_at_another_rate_are_named(cwru: list[Entry]) -> None:
    for true, factor in ((48_000, 0.25), (12_000, 4), (12_000, 0.25)):
        entries = [e for e in cwru if e.sampling_rate == true]
        found = survey_rates(stating(entries, factor), ["DE"])
        named = [rate for rate in found if rate.check.verdict == "contradicted"]
        assert {rate.check.suggested for rate in named} == {float(true)}
        # A recording without shaft lines, or with faint ones, is left open and never confirmed.
        assert "consistent" not in {rate.check.verdict for rate in found}
        assert len(found) - len(named) <= 1
        assert rate_lines(found)[1:] == [
            f"RATE: stated to be sampled at {true * factor:g} Hz, but the shaft orders fit "
            f"{true} Hz: {', '.join(rate.name for rate in named)}"
        ]


@pytest.mark.real
def test_random_windows_of_real_recordings_leak_whole(real_data: Path, tmp_path: Path) -> None:
    text = check_config(
        parse_config(
            {
                "data": {
                    "root": str(real_data / "cwru"),
                    "prepared": str(tmp_path),
                    "select": {"number": [97, 105, 118, 130]},
                    "label": "{code}",
                },
                "window": {"length": 2048, "stride": 28},
                "split": {"strategy": "random_windows"},
                "model": {"name": "wdcnn"},
            }
        )
    )
    assert "LEAK: 100.0% of the test windows overlap a training window" in text
    assert "test holds samples that the model was made with: the figure says how" in text
    assert "sampling rates against shaft orders: 4 consistent, 0 contradicted, 0 undecided" in text
