"""CWRU recordings are known by their samples in any format, at any scale, under any name."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import wavfile

from faultdiag.datasets import cwru
from faultdiag.datasets.facts import Facts, Statement, resolve_facts
from faultdiag.datasets.identify import SAMPLES, fingerprint, identify_by_name, known_by_samples
from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, read_recording

Signal = NDArray[np.float64]


def _hdf5(path: Path, x: Signal) -> None:
    with h5py.File(path, "w") as file:
        file["vib"] = x


WRITERS: dict[str, Callable[[Path, Signal], None]] = {
    "a.npy": lambda path, x: np.save(path, x.astype(np.float32)),
    "b.npz": lambda path, x: np.savez(path, acc=3.7 * x + 0.2),
    "c.npy": lambda path, x: np.save(path, np.stack([x[::-1], np.round(x, 3)])),
    "e.h5": _hdf5,
    "f.wav": lambda path, x: wavfile.write(path, 12_000, (x / np.abs(x).max() * 32e3).astype("i2")),
}


def _found(path: Path) -> cwru.Known | None:
    return known_by_samples(path, list_variables(path))


@pytest.mark.parametrize("name", WRITERS)
def test_a_copy_of_a_healthy_recording(name: str, real_data: Path, tmp_path: Path) -> None:
    (source,) = real_data.glob("cwru/**/97.mat")
    x = read_recording(source, channel="DE").signal[0].astype(np.float64)
    path = tmp_path / name
    WRITERS[name](path, x)
    known = _found(path)
    assert known is not None
    assert (known.number, known.facts["sampling_rate"]) == (97, 48_000)
    # Every fourth sample is what the recording at 12 kHz looks like; it is another signal.
    WRITERS[name](path, np.tile(x[::4], 4)[: x.size])
    assert _found(path) is None


def test_the_rate_of_a_copy_is_the_catalogues(real_data: Path, tmp_path: Path) -> None:
    (source,) = real_data.glob("cwru/**/97.mat")
    path = tmp_path / "healthy.npz"
    np.savez(path, x=read_recording(source, channel="DE").signal[0])
    facts = _facts(path, Statement())
    assert (facts.sampling_rate, facts.rate_source) == (48_000, "catalogue")
    with pytest.raises(FaultdiagError, match="12000 Hz; the catalogue says 48000 Hz"):
        _facts(path, Statement(12_000, rate_place="--sampling-rate"))


def _facts(path: Path, user: Statement) -> Facts:
    variables = list_variables(path)
    return resolve_facts(path, file=Statement(), user=user, variables=lambda: variables)


def test_other_signals_are_not_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for place, x in enumerate([rng.standard_normal(20_000), np.arange(20_000), np.ones(20_000)]):
        np.save(tmp_path / f"{place}.npy", x)
        assert _found(tmp_path / f"{place}.npy") is None


def test_a_fingerprint_takes_no_notice_of_scale_and_rounding() -> None:
    x = np.random.default_rng(1).standard_normal(SAMPLES)
    assert fingerprint(x) == fingerprint(5 * x - 3) == fingerprint(x.astype(np.float32))
    bits = int(fingerprint(x), 16) ^ int(fingerprint(np.round(x, 2)), 16)
    assert bits.bit_count() < 10


@pytest.mark.parametrize(("number", "count"), [(98, 483_903), (99, 485_063), (100, 485_643)])
def test_healthy_recordings_by_their_number_of_samples(
    number: int, count: int, tmp_path: Path
) -> None:
    path = tmp_path / "good.npy"
    np.save(path, np.zeros(count, np.float32))
    named = identify_by_name(path, lambda: list_variables(path))
    assert named is not None
    assert named.facts["number"] == number
    assert not named.confirmed
    assert "by its number of samples, though its bytes are not" in named.doubt
