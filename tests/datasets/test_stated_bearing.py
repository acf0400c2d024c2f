"""Fault orders from the scalars that a file keeps beside its signal."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from faultdiag.datasets.facts import cage_warning, stated_bearing
from faultdiag.evidence.inspection import inspect_file
from faultdiag.readers.read import list_variables
from faultdiag.signal.bearings import FaultOrders, StatedBearing, get_bearing

HZ = get_bearing("NICE").frequencies(1500)
ORDERS = get_bearing("NICE").orders


def stated(path: Path, rpm: float | None, **scalars: Any) -> StatedBearing | None:
    savemat(path, {"y": np.arange(100.0)[:, None], **scalars})
    return stated_bearing(path, list_variables(path), rpm)


def scalars(orders: FaultOrders, **others: Any) -> dict[str, Any]:
    names = ("bpfo", "bpfi", "bsf", "ftf")
    return {name.upper(): getattr(orders, name) for name in names} | others


def test_hz_and_orders_are_told_apart_by_the_balls(tmp_path: Path) -> None:
    for values in (HZ, ORDERS):
        found = stated(tmp_path / "a.mat", 1500, **scalars(values))
        assert found is not None
        assert found.name == "stated by the file"
        assert found.orders.bpfi == pytest.approx(ORDERS.bpfi, rel=1e-6)
        assert found.orders.ftf == pytest.approx(ORDERS.ftf, rel=1e-6)


def test_orders_need_no_speed_and_hz_do(tmp_path: Path) -> None:
    assert stated(tmp_path / "a.mat", None, **scalars(ORDERS)) is not None
    off = FaultOrders(81.1, 118.6, 63.9, 10.1)  # 199.7 Hz: no number of balls
    assert stated(tmp_path / "a.mat", None, **scalars(off)) is None
    assert stated(tmp_path / "a.mat", 1500, **scalars(off)) is not None


@pytest.mark.parametrize(
    "others",
    [
        {"BPFO": -1.0},
        {"BPFO": np.nan},
        {"BPFI": 100.0},
        {"BSF": "fast"},
        {"FTF": np.array([1.0, 2.0])},
    ],
)
def test_what_can_be_no_bearing_is_not_taken(tmp_path: Path, others: dict[str, Any]) -> None:
    assert stated(tmp_path / "a.mat", 1500, **scalars(HZ, **others)) is None


def test_a_cage_as_seen_from_the_shaft_is_told() -> None:
    orders = FaultOrders(3.245, 4.755, 2.556, 0.5935)
    assert cage_warning(StatedBearing("x", orders)) == (
        "the file states an FTF of 0.594 × shaft; with the outer ring fixed it is BPFO / balls = "
        "0.406, and 0.594 as seen from the shaft"
    )
    assert cage_warning(StatedBearing("x", ORDERS)) is None


@pytest.mark.real
@pytest.mark.parametrize(("name", "match"), [("Inner", "BPFI"), ("Outer", "BPFO")])
def test_mfpt(real_data: Path, name: str, match: str) -> None:
    path = real_data / "mfpt" / f"{name}RaceFault_vload_1.mat"
    result = inspect_file(path)
    assert result["bearing"]["name"] == "stated by the file"
    assert result["bearing"]["orders"]["bpfo"] == pytest.approx(3.245, abs=1e-3)
    assert match in [m for peak in result["envelope_peaks"][:2] for m in peak["matches"]]
    assert [w for w in result["warnings"] if "FTF" in w]
    given = inspect_file(path, bearing="NICE")
    assert given["bearing"]["name"] == "NICE"
    assert given["warnings"] == []
