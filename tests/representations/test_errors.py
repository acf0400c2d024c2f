"""What the representations refuse, and what they say would work."""

import re
import subprocess
import sys
from typing import Any

import pytest
import torch

from faultdiag.errors import FaultdiagError
from faultdiag.representations import REPRESENTATIONS, build
from faultdiag.representations.base import count_lines
from faultdiag.representations.vmd import decompose
from tests.representations.fronts import NAMES, front, rates, windows

NOT_BUILT: list[tuple[str, tuple[int, int, float], dict[str, Any], str]] = [
    *(
        (name, (0, 200, 1e3), {}, f"representation '{name}': channels is 0; use 1 or more")
        for name in NAMES
    ),
    *(
        (
            name,
            (1, 200, rate),
            {},
            f"representation '{name}': sampling_rate is {rate} Hz; give a positive number",
        )
        for name in NAMES
        for rate in (0.0, -1.0, float("nan"), float("inf"))
    ),
    *(
        (name, (1, 3, 1e3), {}, f"representation '{name}': a window has 3 samples; use 4 or more")
        for name in ("spectrum", "envelope_spectrum", "order_envelope_spectrum", "stft")
    ),
    ("raw", (1, 0, 1e3), {}, "representation 'raw': a window has 0 samples; use 1 or more"),
    (
        "spectrum",
        (1, 200, 1e3),
        {"max_frequency": 600},
        "representation 'spectrum': max_frequency is 600 Hz, but the lines are 5 Hz apart and end "
        "at 500 Hz; use 5 to 500",
    ),
    (
        "spectrum",
        (1, 200, 1e3),
        {"max_frequency": 4},
        "representation 'spectrum': max_frequency is 4 Hz, but the lines are 5 Hz apart and end at "
        "500 Hz; use 5 to 500",
    ),
    (
        "stft",
        (1, 200, 1e3),
        {"max_frequency": 501, "segment": 50},
        "representation 'stft': max_frequency is 501 Hz, but the lines are 20 Hz apart and end at "
        "500 Hz; use 20 to 500",
    ),
    (
        "envelope_spectrum",
        (1, 200, 1e3),
        {"band": [100, 400], "bands": 2, "max_frequency": 300},
        "representation 'envelope_spectrum': max_frequency is 300 Hz, but the lines are 5 Hz apart "
        "and end at 150 Hz; use 5 to 150",
    ),
    *(
        (
            name,
            (1, 200, 1e3),
            {"band": (100, 501)},
            f"representation '{name}': band is 100 to 501 Hz at a sampling rate of 1000 Hz; use a "
            "band between 0 and 500",
        )
        for name in ("envelope_spectrum", "order_envelope_spectrum")
    ),
    (
        "envelope_spectrum",
        (1, 200, 1e3),
        {"band": (101, 109)},
        "representation 'envelope_spectrum': band is 101 to 109 Hz, where a window of 200 samples "
        "has 1 spectral lines and 3 are needed; use a band of 15 Hz or more, or longer windows",
    ),
    (
        "order_envelope_spectrum",
        (1, 200, 1e3),
        {"band": (100, 400), "bands": 21},
        "representation 'order_envelope_spectrum': bands is 21 from 100 to 400 Hz, where a window "
        "of 200 samples has 61 spectral lines and each band needs 3; use 20 or fewer, or longer "
        "windows",
    ),
    (
        "stft",
        (1, 200, 1e3),
        {"segment": 201},
        "representation 'stft': segment is 201 samples and a window has 200; use 4 to 200",
    ),
    (
        "stft",
        (1, 200, 1e3),
        {"segment": 3},
        "representation 'stft': segment is 3 samples and a window has 200; use 4 to 200",
    ),
    (
        "stft",
        (1, 200, 1e3),
        {"segment": 20, "hop": 21},
        "representation 'stft': hop is 21 samples and a segment has 20, so that samples between "
        "them would be left out; use 1 to 20",
    ),
    (
        "vmd",
        (1, 30, 1e3),
        {"modes": 8},
        "representation 'vmd': modes is 8 and a signal has 30 samples; use 32 samples or more, or "
        "7 modes or fewer",
    ),
    (
        "vmd",
        (1, 3, 1e3),
        {"modes": 1},
        "representation 'vmd': modes is 1 and a signal has 3 samples; use 4 samples or more",
    ),
]


@pytest.mark.parametrize(("name", "shape", "options", "expected"), NOT_BUILT)
def test_refuses_to_build(
    name: str, shape: tuple[int, int, float], options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        build(name, *shape, **options)


AT_THE_LIMIT: list[tuple[str, int, dict[str, Any]]] = [
    ("spectrum", 201, {"max_frequency": 500}),
    ("spectrum", 200, {"max_frequency": 5}),
    ("envelope_spectrum", 200, {"band": [100, 400], "bands": 20}),
    ("envelope_spectrum", 200, {"band": [100, 400], "bands": 2, "max_frequency": 150}),
    ("order_envelope_spectrum", 200, {"band": (0, 10)}),
    ("stft", 200, {"segment": 200, "hop": 200}),
    ("stft", 200, {"segment": 4, "hop": 4}),
    ("vmd", 32, {"modes": 8}),
]


@pytest.mark.parametrize(("name", "length", "options"), AT_THE_LIMIT)
def test_what_is_said_to_work_works(name: str, length: int, options: dict[str, Any]) -> None:
    built = front(name, 1, length, **options)
    assert built(windows(2, 1, length), rates(2)).isfinite().all()


WRONG_VALUES = [
    ("spectrum", {"max_frequency": 0.0}, "max_frequency is 0.0; give a number above 0"),
    ("spectrum", {"taper": "hamming"}, "taper is 'hamming'; Input should be 'hann' or 'none'"),
    ("spectrum", {"scale": "db"}, "scale is 'db'; Input should be 'linear', 'log' or 'root'"),
    ("envelope_spectrum", {"bands": 0}, "bands is 0; give 1 or more"),
    (
        "envelope_spectrum",
        {"band": (400, 100)},
        "band is (400, 100); give the lower frequency first, both in Hz",
    ),
    ("envelope_spectrum", {"band": (-1, 100)}, "band is (-1, 100); give 0 or more"),
    ("order_envelope_spectrum", {"bins": 1}, "bins is 1; give 2 or more"),
    (
        "order_envelope_spectrum",
        {"max_order": float("inf")},
        "max_order is inf; give a number above 0",
    ),
    ("vmd", {"tau": -1.0}, "tau is -1.0; give 0 or more"),
    ("vmd", {"modes": 2.5}, "modes is 2.5; Input should be a valid integer"),
]


@pytest.mark.parametrize(("name", "options", "expected"), WRONG_VALUES)
def test_refuses_values_out_of_range(name: str, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(FaultdiagError, match=re.escape(f"representation '{name}': {expected}")):
        front(name, **options)


@pytest.mark.parametrize(
    ("max_frequency", "spacing", "last", "limit", "lines"),
    [
        (None, 5.0, 100, 500.0, 101),
        (500.0, 5.0, 100, 500.0, 101),
        (5.0, 5.0, 100, 500.0, 2),
        (14.9, 5.0, 100, 500.0, 3),
        # Limits as a message rounds them, downwards and upwards.
        (92.7835, 1000 / 97, 9, 9000 / 97, 10),
        (10.3093, 1000 / 97, 9, 9000 / 97, 2),
        (9.17431, 1000 / 109, 54, 500.0, 2),
        (20000.2, 0.1, 200_000, 20000.05, 200_001),
    ],
)
def test_lines_up_to_a_frequency(
    *, max_frequency: float | None, spacing: float, last: int, limit: float, lines: int
) -> None:
    found = count_lines("spectrum", max_frequency, spacing=spacing, last=last, limit=limit)
    assert found == lines


def test_names_the_nearest_representation_and_option() -> None:
    with pytest.raises(FaultdiagError, match=r"^unknown representation 'sftf' \(did you mean 's"):
        front("sftf")
    expected = r"^representation 'stft' has no option 'segmnt' \(did you mean 'segment'\?\)"
    with pytest.raises(FaultdiagError, match=expected):
        front("stft", segmnt=3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 1, 199), (3, 2, 200), (3, 200)])
def test_refuses_windows_of_another_shape(name: str, shape: tuple[int, ...]) -> None:
    expected = (
        f"representation '{name}' was built for windows (batch, 1, 200) and found {shape}; "
        "give such windows or build it for these"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        front(name)(torch.zeros(shape), rates())


RATES = [
    (
        None,
        "representation 'order_envelope_spectrum' needs the shaft speed and was given none; give "
        "shaft_rate, one per window in Hz (rpm / 60), or choose 'envelope_spectrum', whose axis "
        "is in Hz",
    ),
    (
        torch.ones(2),
        "representation 'order_envelope_spectrum': shaft_rate has the shape (2,) for 3 windows; "
        "give (3,), one rate per window in Hz",
    ),
    *(
        (
            torch.tensor([30.0, value, 20.0]),
            f"representation 'order_envelope_spectrum': shaft_rate is {value:g} Hz; give a "
            "positive number (rpm / 60) for every window, and leave out recordings of unknown "
            "speed",
        )
        for value in (0.0, -29.5, float("nan"), float("inf"))
    ),
]


@pytest.mark.parametrize(("rate", "expected"), RATES)
def test_refuses_orders_without_a_speed(rate: torch.Tensor | None, expected: str) -> None:
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        front("order_envelope_spectrum")(windows(), rate)


def test_decompose_refuses_more_modes_than_samples_allow() -> None:
    expected = (
        "decompose: modes is 4 and a signal has 15 samples; use 16 samples or more, or 3 modes"
    )
    with pytest.raises(FaultdiagError, match=f"^{expected} or fewer$"):
        decompose(torch.zeros(2, 15))


def test_the_names_are_known_without_torch() -> None:
    code = (
        "import sys; from faultdiag.representations import REPRESENTATIONS as r; "
        "print(*r); raise SystemExit('torch' in sys.modules or 'scipy' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == list(REPRESENTATIONS)
