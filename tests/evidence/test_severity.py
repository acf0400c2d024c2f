"""Velocity and zones against closed forms and the published limits; units are never guessed."""

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.evidence.severity import LIMITS, parse_units, severity

FS = 12_000
T = np.arange(2 * FS) / FS


def tone(frequency: float, amplitude: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * T)


@pytest.mark.parametrize("frequency", [10.0, 29.5, 100.0, 1000.0])
def test_acceleration_is_integrated(frequency: float) -> None:
    expected = 9.80665 / (2 * np.pi * frequency) / np.sqrt(2) * 1000
    assert severity(tone(frequency), FS, units="g").velocity == pytest.approx(expected, rel=1e-3)
    in_si = severity(tone(frequency, 9.80665), FS, units="m/s²").velocity
    assert in_si == pytest.approx(expected, rel=1e-3)


def test_velocity_is_taken_as_it_is() -> None:
    expected = 3 / np.sqrt(2)
    assert severity(tone(50, 3.0), FS, units="mm/s").velocity == pytest.approx(expected, rel=1e-6)
    assert severity(tone(50, 3e-3), FS, units="m/s").velocity == pytest.approx(expected, rel=1e-6)


def test_only_10_to_1000_hz_count() -> None:
    outside = tone(5, 100.0) + tone(3000, 100.0) + 50.0
    assert severity(outside, FS, units="mm/s").velocity < 1e-6
    slow = severity(np.tile(tone(5, 3.0), 3), FS, units="mm/s", rpm=300)
    assert (slow.lowest, slow.velocity) == (2.0, pytest.approx(3 / np.sqrt(2), rel=1e-6))


def test_several_tones_add_up_by_power() -> None:
    both = severity(tone(50, 3.0) + tone(200, 4.0), FS, units="mm/s").velocity
    assert both == pytest.approx(5 / np.sqrt(2), rel=1e-6)


# ISO 10816-3:2009, Tables A.1 (group 1) and A.2 (group 2), mm/s RMS.
@pytest.mark.parametrize(
    ("group", "mounting", "limits"),
    [
        (1, "rigid", (2.3, 4.5, 7.1)),
        (1, "flexible", (3.5, 7.1, 11.0)),
        (2, "rigid", (1.4, 2.8, 4.5)),
        (2, "flexible", (2.3, 4.5, 7.1)),
    ],
)
def test_zones_end_at_the_published_limits(group, mounting, limits) -> None:  # type: ignore[no-untyped-def]
    assert LIMITS[group, mounting] == limits
    zones = []
    for limit in limits:
        for velocity in (limit * 0.999, limit * 1.001):
            x = tone(50, velocity * np.sqrt(2))
            found = severity(x, FS, units="mm/s", group=group, mounting=mounting)
            zones.append(found.zone)
    assert "".join(map(str, zones)) == "ABBCCD"
    assert "10816-3:2009" in found.source


def test_without_group_and_mounting_there_is_no_zone() -> None:
    found = severity(tone(50), FS, units="g")
    assert (found.zone, found.group, found.mounting) == (None, None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": "V"}, r"units are 'V'; severity needs g, m/s2, mm/s, m/s"),
        ({"units": ""}, "severity needs g"),
        ({"units": "g", "group": 1}, r"a zone needs the mounting \(rigid or flexible\)"),
        ({"units": "g", "mounting": "rigid"}, r"a zone needs the machine group \(1 or 2\)"),
        ({"units": "g", "rpm": 60}, "60 r/min; ISO 20816-3 holds from 120 to 30000 r/min"),
    ],
)
def test_refusals(options, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FaultdiagError, match=message):
        severity(tone(50), FS, **options)


def test_a_low_rate_or_a_short_signal_is_refused() -> None:
    with pytest.raises(FaultdiagError, match="a sampling rate of 2000 Hz ends at 1000 Hz"):
        severity(tone(50), 2000, units="g")
    with pytest.raises(FaultdiagError, match=r"needs 1 s or more; this is 0\.5 s"):
        severity(tone(50)[: FS // 2], FS, units="g")


def test_units_are_read_however_they_are_written() -> None:
    assert [parse_units(text) for text in (" g ", "M/S^2", "m/s**2", "mm/s", "kg")] == [
        *("g", "m/s2", "m/s2", "mm/s"),
        None,
    ]
