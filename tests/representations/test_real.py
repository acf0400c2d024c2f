"""Fault orders of real bearings."""

from pathlib import Path

import pytest
import torch

from faultdiag.readers.read import read_recording
from faultdiag.signal.bearings import BEARINGS
from tests.representations.fronts import front

ORDERS = BEARINGS["6205"].orders


@pytest.mark.real
@pytest.mark.parametrize("seconds", [1, 2])
@pytest.mark.parametrize("method", ["exact", "linear"])
@pytest.mark.parametrize(
    ("number", "measured", "computed"), [(105, 5.40, ORDERS.bpfi), (130, 3.59, ORDERS.bpfo)]
)
def test_the_largest_order_that_is_not_the_shafts_is_the_faults(
    real_data: Path,
    *,
    number: int,
    measured: float,
    computed: float,
    method: str,
    seconds: int,
) -> None:
    recording = read_recording(real_data / f"cwru/12k_DE/{number}.mat", channel="DE")
    assert recording.rpm is not None
    length = 12000 * seconds
    signal = torch.tensor(recording.signal[0])
    windows = signal.unfold(0, length, length)[:, None]  # (windows, 1, length)
    built = front(
        "order_envelope_spectrum",
        length=length,
        rate=12000.0,
        max_order=6.0,
        bins=1201,
        method=method,
    )
    rates = torch.full((len(windows),), recording.rpm / 60)
    a = built(windows, rates)[:, 0]
    of_the_shaft = (built.orders - built.orders.round()).abs() < 0.1
    peaks = built.orders[torch.where(of_the_shaft, -torch.inf, a).argmax(-1)]
    assert len(peaks) == 10 // seconds
    assert ((peaks - measured).abs() < 0.03).all()
    assert ((peaks / computed - 1).abs() < 0.01).all()
