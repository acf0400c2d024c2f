"""The test rig of Case Western Reserve University: its recordings, resonances and sensors.

A 2 hp induction motor, 1797 rpm unloaded, on a 6205 bearing at the drive end. The numbers of
the recordings are the university's; 97 to 100 are healthy and sampled at 48 kHz, all others have
a spall in the drive-end bearing and are sampled at 12 kHz.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from faultdiag.bearings import get_bearing
from faultdiag.simulation.structure import Mode, Sensor

BEARING = get_bearing("6205")
NOMINAL_RPM = (1797, 1772, 1750, 1730)  # at 0 to 3 hp
LOADS = (0, 1, 2, 3)
SIZES = ("007", "014", "021")
# Number of the recording at 0 hp; the loads follow one by one.
FIRST_NUMBERS = {
    ("inner", "007"): 105,
    ("ball", "007"): 118,
    ("outer", "007"): 130,
    ("inner", "014"): 169,
    ("ball", "014"): 185,
    ("outer", "014"): 197,
    ("inner", "021"): 209,
    ("ball", "021"): 222,
    ("outer", "021"): 234,
}
FIRST_HEALTHY = 97

MODES = (
    Mode(560, 0.10),
    Mode(1350, 0.07),
    Mode(2780, 0.032),
    Mode(3450, 0.022),
    Mode(5250, 0.025),
    Mode(8300, 0.040),
)
SENSORS = (
    Sensor(
        name="DE",
        strikes=(0.20, 0.22, 0.75, 1.0, 0.20, 0.15),
        noise=(0.022, 0.013, 0.014, 0.012, 0.007, 0.012),
        floor=0.010,
        shaft=0.005,
        motor=0.045,
        delay=0.0,
        offset=0.014,
        offset_spread=0.009,
        step=1.624e-4,
    ),
    Sensor(
        name="FE",
        strikes=(0.25, 0.40, 0.45, 0.25, 0.05, 0.02),
        noise=(0.030, 0.030, 0.018, 0.012, 0.008, 0.008),
        floor=0.010,
        shaft=0.006,
        motor=0.020,
        delay=3.1e-4,
        offset=0.0325,
        offset_spread=0.0008,
        step=2.055e-4,
    ),
    Sensor(
        name="BA",
        strikes=(0.12, 0.12, 0.12, 0.08, 0.02, 0.01),
        noise=(0.018, 0.012, 0.008, 0.006, 0.003, 0.002),
        floor=0.004,
        shaft=0.003,
        motor=0.006,
        delay=5.7e-4,
        offset=0.0055,
        offset_spread=0.0003,
        step=4.024e-5,
    ),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One recording of the rig: its number, the place and size of the spall, and the load."""

    number: int
    place: str | None
    size: str | None
    load_hp: int

    @property
    def sampling_rate(self) -> int:
        """Hz; as in the original, the healthy bearing is sampled four times as fast."""
        return 48_000 if self.place is None else 12_000


def cases(loads: Sequence[int] = LOADS, sizes: Sequence[str] = SIZES) -> list[Case]:
    """Give the healthy recordings and those of the sizes, under the loads, by number.

    Examples
    --------
    >>> [case.number for case in cases([2], ["014"])]
    [99, 171, 187, 199]
    """
    chosen = [Case(FIRST_HEALTHY + load, None, None, load) for load in loads]
    for (place, size), first in FIRST_NUMBERS.items():
        chosen += [Case(first + load, place, size, load) for load in loads if size in sizes]
    return sorted(chosen, key=lambda case: case.number)
