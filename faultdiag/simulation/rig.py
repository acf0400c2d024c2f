"""Recordings of a simulated rig.

A 2 hp induction motor, 1797 rpm unloaded, on a 6205 bearing at the drive end. The numbers of
the recordings are the university's; 97 to 100 are healthy and sampled at 48 kHz, all others have
a spall in the drive-end bearing and are sampled at 12 kHz.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.errors import FaultdiagError
from faultdiag.signal.bearings import BEARINGS, Bearing, get_bearing
from faultdiag.simulation.machine import (
    MOTOR_LINES,
    Impacts,
    Mode,
    Sensor,
    Spall,
    decimate,
    entry_lead,
    motor_drone,
    noise_gain,
    quantise,
    ring,
    shaft_angle,
    shaft_waveform,
    strike,
    strikes,
)

BEARING = BEARINGS["6205"]
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

FS = 48_000
# g at the drive end for the smallest spall: a ball's spot meets the track only now and then.
STRENGTH = {"inner": 0.7, "ball": 0.4, "outer": 0.8}
# The amplitude of a strike grows as this power of the spall's length.
GROWTH = 0.7
SMALLEST = 0.007
# A ball's entry, relative to its strike: up to this frequency as strong as the share, less above.
ENTRY_SHARE = 0.6
ENTRY_CORNER_HZ = 1200.0

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
    """Return the healthy recordings and those of the sizes, under the loads, by number.

    Examples
    --------
    >>> [case.number for case in cases([2], ["014"])]
    [99, 171, 187, 199]
    """
    chosen = [Case(FIRST_HEALTHY + load, None, None, load) for load in loads]
    for (place, size), first in FIRST_NUMBERS.items():
        chosen += [Case(first + load, place, size, load) for load in loads if size in sizes]
    return sorted(chosen, key=lambda case: case.number)


@dataclass(frozen=True, slots=True)
class SimulatedRecording:
    """A simulated recording: what it is of, its true speed, and ``(samples,)`` in g per channel."""

    case: Case
    rpm: float
    channels: dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Machine:
    """The constant parts of all recordings: the shaft per sensor, and the motor's lines."""

    waveforms: tuple[Floats, ...]
    motor: Floats


@dataclass(frozen=True, slots=True)
class Mount:
    """One bearing as it was mounted once and measured under every load."""

    modes: tuple[Mode, ...]
    gain: float
    zone: float


@dataclass(frozen=True, slots=True)
class Run:
    """The excitation during one recording, before it reaches a sensor.

    Parameters
    ----------
    samples
        Length at `FS`.
    impacts
        Strikes at the far edge of the spall; none on a healthy bearing.
    lead
        Seconds from a ball's entry into the spall to its strike.
    strength, noise, shaft
        Factors on the strikes and on the sensors' levels.
    angle
        Angle of the shaft, ``(samples,)``, see `shaft_angle`.
    drone
        Sum of the motor's lines, ``(samples,)``.
    """

    samples: int
    impacts: Impacts
    lead: float
    strength: float
    noise: float
    shaft: float
    angle: NDArray[np.int64]
    drone: Floats


def mounted(name: str) -> Bearing:
    """Return a bearing as it is mounted on the rig: its geometry, scaled to the seat of the 6205.

    Raises
    ------
    FaultdiagError
        If there is no such bearing, or only its fault orders are known.
    """
    bearing = get_bearing(name)
    if not isinstance(bearing, Bearing):
        raise FaultdiagError(
            f"of the bearing {name} only the fault orders are known, and a simulation needs the "
            "geometry; write it as balls,ball_diameter,pitch_diameter[,angle_deg]"
        )
    scale = BEARING.pitch_diameter / bearing.pitch_diameter
    ball = scale * bearing.ball_diameter
    return replace(bearing, ball_diameter=ball, pitch_diameter=BEARING.pitch_diameter)


def simulate_recording(
    case: Case,
    *,
    seconds: float,
    seed: int = 0,
    severity: float = 1.0,
    noise: float = 1.0,
    bearing: Bearing = BEARING,
) -> SimulatedRecording:
    """Return one recording; the same arguments give the same samples, whatever else is simulated.

    Parameters
    ----------
    case
        Which recording.
    seconds
        Its length.
    seed
        Another seed is another machine with other bearings.
    severity
        Factor on the strikes.
    noise
        Factor on the broadband noise; the lines of shaft and motor stay.
    bearing
        The bearing at the drive end, diameters in inches.
    """
    rng = np.random.default_rng([seed, 0, case.number])
    mount = _mount(np.random.default_rng([seed, 1, case.number - case.load_hp]))
    machine = _machine(np.random.default_rng([seed, 2]))
    # No two runs at one load turn quite equally fast.
    rpm = NOMINAL_RPM[case.load_hp] + rng.uniform(-1.5, 1.5)
    run = _run(rng, case, mount, machine, rpm=rpm, seconds=seconds, bearing=bearing)
    run = replace(run, strength=severity, noise=noise * run.noise)
    channels = {}
    for sensor, waveform in zip(SENSORS, machine.waveforms, strict=True):
        if sensor.name == "BA" and case.place is None:
            continue
        x = decimate(_hear(rng, run, mount.modes, sensor, waveform), FS // case.sampling_rate)
        # An accelerometer passes no steady acceleration; the offset is the amplifier's.
        x += rng.normal(sensor.offset, sensor.offset_spread) - x.mean()
        channels[sensor.name] = quantise(x, sensor.step)
    return SimulatedRecording(case, rpm, channels)


def _machine(rng: np.random.Generator) -> Machine:
    waveforms = tuple(shaft_waveform(rng) for _ in SENSORS)
    return Machine(waveforms, np.exp(0.3 * rng.standard_normal(MOTOR_LINES)))


def _mount(rng: np.random.Generator) -> Mount:
    modes = tuple(
        Mode(
            mode.frequency * np.exp(0.025 * rng.standard_normal()),
            mode.damping * np.exp(0.15 * rng.standard_normal()),
        )
        for mode in MODES
    )
    return Mount(modes, gain=np.exp(0.2 * rng.standard_normal()), zone=rng.uniform(0.6, 1.0))


def _run(
    rng: np.random.Generator,
    case: Case,
    mount: Mount,
    machine: Machine,
    *,
    rpm: float,
    seconds: float,
    bearing: Bearing,
) -> Run:
    # Everything happens at one rate: what a fault and a healthy bearing have in common must not
    # differ by how it was computed.
    samples = round(seconds * case.sampling_rate) * FS // case.sampling_rate
    impacts, lead = _impacts(rng, case, mount, bearing, shaft_hz=rpm / 60, seconds=samples / FS)
    phases = rng.uniform(size=MOTOR_LINES)
    return Run(
        samples=samples,
        impacts=impacts,
        lead=lead,
        strength=1.0,
        noise=1 + 0.06 * case.load_hp,
        shaft=1 + 0.1 * case.load_hp,
        angle=shaft_angle(rpm / 60, samples, FS),
        drone=motor_drone(machine.motor, phases, rpm / 60, samples, FS),
    )


def _impacts(
    rng: np.random.Generator,
    case: Case,
    mount: Mount,
    bearing: Bearing,
    *,
    shaft_hz: float,
    seconds: float,
) -> tuple[Impacts, float]:
    if case.place is None or case.size is None:
        return Impacts(np.zeros(0), np.zeros(0)), 0.0
    spall = Spall(case.place, int(case.size) / 1000)
    impacts = strikes(
        rng,
        bearing,
        spall,
        shaft_hz=shaft_hz,
        seconds=seconds,
        slip=rng.uniform(-0.005, 0.005),
        zone=mount.zone,
    )
    growth = (spall.diameter / SMALLEST) ** GROWTH * (1 + 0.1 * case.load_hp)
    scale = STRENGTH[case.place] * growth * mount.gain
    lead = entry_lead(bearing, spall, shaft_hz)
    return replace(impacts, amplitudes=scale * impacts.amplitudes), lead


def _hear(
    rng: np.random.Generator, run: Run, modes: Sequence[Mode], sensor: Sensor, waveform: Floats
) -> Floats:
    white = rng.standard_normal(run.samples)
    x = sensor.motor * run.drone
    x += sensor.shaft * run.shaft * waveform[run.angle]
    x += sensor.floor * run.noise * white
    far = replace(run.impacts, times=run.impacts.times + sensor.delay)
    near = replace(far, times=far.times - run.lead)
    for mode, gain, level in zip(modes, sensor.strikes, sensor.noise, strict=True):
        # The entry is a smooth edge: it excites high modes less, and pushes the other way.
        entry = ENTRY_SHARE * min(1.0, ENTRY_CORNER_HZ / mode.frequency)
        excitation = run.noise * level * noise_gain(mode, FS) * white
        strike(excitation, far, mode, FS, run.strength * gain)
        strike(excitation, near, mode, FS, -run.strength * entry * gain)
        x += ring(excitation, mode, FS)
    return x
