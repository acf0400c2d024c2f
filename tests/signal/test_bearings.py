"""Fault frequencies against published values and the laws they obey."""

from dataclasses import FrozenInstanceError, astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.signal.bearings import (
    BEARINGS,
    Bearing,
    StatedBearing,
    catalogue,
    find_bearing,
    get_bearing,
)


@pytest.mark.parametrize(
    ("name", "bpfi", "bpfo", "bsf", "ftf"),
    [
        # CWRU Bearing Data Center, "Bearing fault frequencies"; BSF once per turn of the ball.
        ("6205", 5.415, 3.585, 2.357, 0.398),
        ("6203", 4.947, 3.053, 1.994, 0.382),
    ],
)
def test_cwru_orders(name: str, bpfi: float, bpfo: float, bsf: float, ftf: float) -> None:
    orders = get_bearing(name).orders
    # The published tables round and truncate: within one unit of the third decimal.
    assert orders.bpfi == pytest.approx(bpfi, abs=1e-3)
    assert orders.bpfo == pytest.approx(bpfo, abs=1e-3)
    assert orders.bsf == pytest.approx(bsf, abs=1e-3)
    assert orders.ftf == pytest.approx(ftf, abs=1e-3)


def test_mfpt_frequencies_in_hz() -> None:
    # The scalars beside the signals of the MFPT files, at 25 Hz. Their FTF, 14.8375 Hz, is that
    # of a cage whose outer ring turns, (1 + g)/2, and no reference for a fixed one.
    frequencies = get_bearing("NICE").frequencies(1500)
    assert frequencies.bpfo == pytest.approx(81.125, rel=1e-3)
    assert frequencies.bpfi == pytest.approx(118.875, rel=1e-3)
    assert frequencies.bsf == pytest.approx(63.91, rel=1e-3)
    assert 25 - frequencies.ftf == pytest.approx(14.8375, rel=2e-3)


@pytest.mark.real
def test_mfpt_scalars_of_the_files(real_data) -> None:
    from scipy.io import loadmat

    values = loadmat(real_data / "mfpt" / "OuterRaceFault_vload_1.mat")
    frequencies = get_bearing("NICE").frequencies(60 * values["bearing"]["rate"][0, 0].item())
    for name in ("BPFO", "BPFI", "BSF"):
        assert getattr(frequencies, name.lower()) == pytest.approx(values[name].item(), rel=1e-3)


geometries = st.builds(
    Bearing,
    name=st.just("x"),
    balls=st.integers(3, 40),
    ball_diameter=st.floats(0.05, 0.45),
    pitch_diameter=st.just(1.0),
    contact_angle=st.floats(0, 45),
)


@given(geometries)
def test_laws(bearing: Bearing) -> None:
    orders = bearing.orders
    assert orders.bpfo + orders.bpfi == pytest.approx(bearing.balls)
    assert orders.bpfo == pytest.approx(bearing.balls * orders.ftf)
    assert 0 < orders.ftf < 0.5 < orders.bsf
    assert orders.bpfo < orders.bpfi


@given(geometries, st.floats(0.001, 1000), st.floats(1, 1e5))
def test_only_the_ratio_counts_and_hz_are_orders_times_rate(
    bearing: Bearing, unit: float, rpm: float
) -> None:
    scaled = Bearing("y", bearing.balls, bearing.ball_diameter * unit, unit, bearing.contact_angle)
    assert astuple(scaled.orders) == pytest.approx(astuple(bearing.orders))
    assert astuple(bearing.frequencies(rpm)) == pytest.approx(
        [order * rpm / 60 for order in astuple(bearing.orders)]
    )


def test_contact_angle_narrows_the_spread() -> None:
    flat, steep = Bearing("a", 9, 0.2, 1.0), Bearing("b", 9, 0.2, 1.0, 40.0)
    assert flat.orders.bpfo < steep.orders.bpfo < 4.5 < steep.orders.bpfi < flat.orders.bpfi


def test_a_bearing_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        get_bearing("6205").balls = 8  # type: ignore[misc]


@pytest.mark.parametrize("name", ["6205", " 6205 ", "6205-2RS", "6205-2RS JEM SKF", "6205/C3"])
def test_suffixes_change_nothing(name: str) -> None:
    assert get_bearing(name) is BEARINGS["6205"]


def test_case_changes_nothing() -> None:
    assert get_bearing("nice") is BEARINGS["NICE"]


def test_geometry_as_text() -> None:
    bearing = get_bearing(" 9, 0.3126 ,1.537")
    assert bearing.orders == BEARINGS["6205"].orders
    assert get_bearing("9,7.94,39.04,10").contact_angle == 10.0


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(FaultdiagError, match=r"unknown bearing 'ER16' \(did you mean 'ER-16K'\?\)"):
        get_bearing("ER16")
    with pytest.raises(FaultdiagError, match=r"listed by 'faultdiag bearings'; a geometry works"):
        get_bearing("zzz")


@pytest.mark.parametrize("text", ["9,0.3", "9,0.3,1.5,0,1", "nine,0.3,1.5", "9.5,0.3,1.5", "9,,1"])
def test_geometry_that_cannot_be_read(text: str) -> None:
    with pytest.raises(FaultdiagError, match=r"can't be read; give balls,ball_diameter,"):
        get_bearing(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,0.3,1.5", "balls is 1; give the number in the row, 2 or more"),
        ("9,1.5,0.3", "ball diameter 1.5, pitch diameter 0.3; both must be positive"),
        ("9,0,0.3", "ball diameter 0, pitch diameter 0.3; both must be positive"),
        ("9,nan,0.3", "ball diameter nan"),
        ("9,0.3,inf", "pitch diameter inf"),
        ("9,0.3,1.5,90", "contact angle is 90 degrees; give 0 or more and less than 90"),
        ("9,0.3,1.5,nan", "contact angle is nan degrees"),
    ],
)
def test_impossible_geometry(text: str, message: str) -> None:
    with pytest.raises(FaultdiagError, match=message):
        get_bearing(text)


def test_the_catalogue_holds_the_bearings_of_the_sets_and_sixty_more() -> None:
    rows = catalogue()
    assert len(rows) >= 90
    kinds = {row.type for row in rows.values()}
    assert {"deep groove ball", "angular contact ball", "cylindrical roller"} <= kinds
    assert "spherical roller" in kinds
    for name in ("6203 FAG", "6203 NSK", "6205", "6208 KG", "N204", "UER204", "ZA-2115"):
        assert name in rows
    assert {"NICE", "PRONOSTIA", "MAFAULDA", "ER-16K"} <= rows.keys()


@pytest.mark.parametrize("name", catalogue())
def test_every_row_obeys_the_kinematics_and_names_its_source(name: str) -> None:
    row = catalogue()[name]
    bearing, orders = row.bearing, row.bearing.orders
    assert bearing.name == name
    assert row.source.count(" ") >= 2 or row.source.startswith("https://")
    assert row.note or not row.approximate
    assert find_bearing(name) is row
    # Published orders are rounded to 0.01 or 0.001 of a turn.
    assert orders.bpfo + orders.bpfi == pytest.approx(bearing.balls, abs=0.011)
    assert orders.bpfo == pytest.approx(bearing.balls * orders.ftf, abs=0.005 * bearing.balls)
    if isinstance(bearing, StatedBearing) and row.type != "spherical roller":
        g = (orders.bpfi - orders.bpfo) / bearing.balls
        assert orders.bsf == pytest.approx((1 - g * g) / (2 * g), rel=5e-3)


@pytest.mark.parametrize(
    ("published", "name"),
    [("203K", "6203"), ("205K", "6205"), ("204K", "6204"), ("208K", "6208 KG")],
)
def test_orders_by_ring_size_are_near_those_of_known_geometry(published: str, name: str) -> None:
    theirs, ours = get_bearing(published).orders, get_bearing(name).orders
    assert astuple(theirs)[:2] == pytest.approx(astuple(ours)[:2], rel=0.015)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *[("6203", "6203"), ("6203 FAG", "6203 FAG"), ("fag 6203-2Z", "6203 FAG")],
        *[("6203 mtk", "6203 MTK"), ("6205DDU NSK", "6205 NSK"), ("6205 XYZ", "6205")],
        *[("NU 206-E-XL-TVP2", "NU206"), ("22205-E1-K", "22205"), ("er16k", "ER-16K")],
        *[("za2115", "ZA-2115"), ("203KD", "203K"), ("craft-108-s1", "CRAFT-108-S1")],
    ],
)
def test_designations_as_people_write_them(text: str, name: str) -> None:
    assert find_bearing(text).bearing.name == name


@pytest.mark.parametrize("text", ["62051", "16205", "6", "NU", "62", "FAG"])
def test_a_number_within_another_is_no_designation(text: str) -> None:
    with pytest.raises(FaultdiagError, match="unknown bearing"):
        find_bearing(text)
