"""Families of fault lines: simulated impacts of known order, noise, and real recordings."""

import numpy as np
import pytest

from faultdiag.evidence.families import FaultFamily, fault_families
from faultdiag.evidence.peaks import measure_envelopes
from faultdiag.evidence.physics import FAULT_LINES, Part, physics_verdict
from faultdiag.signal.bearings import get_bearing
from faultdiag.simulation.rig import Case, mounted, simulate_recording
from tests.evidence.signals import FS, RPM, SHAFT, impacts, noise, prominence_at

BEARING = get_bearing("6205")


def families_of(x: np.ndarray) -> list[FaultFamily]:
    return fault_families(measure_envelopes(x, FS, rpm=RPM, bearing=BEARING), BEARING)


@pytest.mark.parametrize(
    ("order", "fault", "first"),
    [(5.40, "BPFI", "BPFI"), (3.60, "BPFO", "BPFO"), (2 * 2.345, "BSF", "2×BSF")],
)
def test_the_family_of_a_simulated_fault_comes_first(order: float, fault: str, first: str) -> None:
    family = families_of(impacts(order))[0]
    assert (family.fault, family.lines[0].name) == (fault, first)
    assert [line.harmonic for line in family.lines][:2] == [1, 2]
    for line in family.lines:
        assert line.order == pytest.approx(line.harmonic * order, rel=1e-3)
        assert line.frequency == pytest.approx(line.order * SHAFT, abs=0.1)


def test_slip_is_the_measured_order_over_the_geometric_one() -> None:
    family = families_of(impacts(BEARING.orders.bpfi * 0.99))[0]
    assert family.fault == "BPFI"
    assert family.slip == pytest.approx(-0.01, abs=1e-3)


def test_a_fault_beyond_the_tolerance_is_not_matched() -> None:
    families = families_of(impacts(BEARING.orders.bpfi * 1.03, modulation=0.0))
    assert "BPFI" not in [family.fault for family in families]


def test_prominences_agree_with_an_independent_envelope() -> None:
    x = impacts(5.40, modulation=0.5)
    family = families_of(x)[0]
    for line in family.lines:
        expected = prominence_at(x, FS, family.band, line.frequency)
        assert line.prominence == pytest.approx(expected, abs=0.1)


def test_sidebands_of_modulated_impacts_are_counted() -> None:
    plain, modulated = families_of(impacts(5.40))[0], families_of(impacts(5.40, modulation=0.8))[0]
    assert plain.sidebands == 0
    assert modulated.sidebands >= 2 * len(modulated.lines) - 1


def test_lines_of_the_strongest_family_do_not_count_for_another() -> None:
    bearing = get_bearing("6203")
    # BPFI - shaft is 3.947, within a percent of 2×BSF of this bearing.
    x = impacts(bearing.orders.bpfi, modulation=0.9)
    families = fault_families(measure_envelopes(x, FS, rpm=RPM, bearing=bearing), bearing)
    assert families[0].fault == "BPFI"
    assert not any(line.name == "2×BSF" for family in families[1:] for line in family.lines)


@pytest.mark.parametrize("name", ["6205", "6203", "16,0.331,2.815,15.17"])
@pytest.mark.parametrize("part", ["inner", "outer", "ball"])
def test_the_lines_of_a_simulated_recording_are_those_of_its_fault(name: str, part: Part) -> None:
    # The second harmonic of a 6203's ball is the fourth of the shaft within the tolerance.
    bearing = mounted(name)
    case = Case({"inner": 105, "ball": 118, "outer": 130}[part], part, "014", 0)
    made = simulate_recording(case, seconds=3.0, seed=200, noise=2.0, bearing=bearing)
    x = made.channels["DE"]
    assert physics_verdict(x, FS, made.rpm, bearing).part == part
    spectra = measure_envelopes(x, FS, rpm=made.rpm, bearing=bearing)
    assert fault_families(spectra, bearing)[0].fault == FAULT_LINES[part]


def test_a_cage_with_harmonics_comes_before_a_chance_line_of_the_ball() -> None:
    rng, t = np.random.default_rng(0), np.arange(10 * FS) / FS
    turns = 2 * np.pi * BEARING.orders.ftf * SHAFT * t
    x = rng.normal(size=t.size) * (1 + 0.4 * sum(np.cos(k * turns) for k in (1, 2, 3)))
    assert families_of(x)[0].fault == "FTF"


def test_noise_has_no_families() -> None:
    assert families_of(noise()) == []


def test_lines_of_the_shaft_make_no_family() -> None:
    assert families_of(impacts(1.0)) == []


def test_the_hum_of_the_mains_makes_no_family() -> None:
    t = np.arange(10 * FS) / FS
    bearing = get_bearing("9,0.3126,1.537")
    rpm = 60 * 100 / bearing.orders.bpfo  # BPFO at 100 Hz
    x = noise() * (1 + 0.5 * np.cos(2 * np.pi * 100 * t))
    spectra = measure_envelopes(x, FS, rpm=rpm, bearing=bearing)
    assert "BPFO" not in [family.fault for family in fault_families(spectra, bearing)]
