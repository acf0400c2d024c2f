"""One simulated recording of the rig: what happens in it, and what each sensor hears of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faultdiag.simulation.impacts import Array, Impacts, Spall, entry_lead, strikes
from faultdiag.simulation.rig import BEARING, MODES, NOMINAL_RPM, SENSORS, Case
from faultdiag.simulation.structure import (
    MOTOR_LINES,
    Mode,
    Sensor,
    decimate,
    motor_drone,
    noise_gain,
    quantise,
    ring,
    shaft_angle,
    shaft_waveform,
    strike,
)

FS = 48_000
# g at the drive end for the smallest spall: a ball's spot meets the track only now and then.
STRENGTH = {"inner": 0.7, "ball": 0.4, "outer": 0.8}
# The amplitude of a strike grows as this power of the spall's length.
GROWTH = 0.7
SMALLEST = 0.007
# A ball's entry, relative to its strike: up to this frequency as strong as the share, less above.
ENTRY_SHARE = 0.6
ENTRY_CORNER_HZ = 1200.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated recording: what it is of, its true speed, and ``(samples,)`` in g per channel."""

    case: Case
    rpm: float
    channels: dict[str, Array]


@dataclass(frozen=True, slots=True)
class Machine:
    """What is the same in all recordings: the shaft per sensor, and the motor's lines."""

    waveforms: tuple[Array, ...]
    motor: Array


@dataclass(frozen=True, slots=True)
class Mount:
    """One bearing as it was mounted once and measured under every load."""

    modes: tuple[Mode, ...]
    gain: float
    zone: float


@dataclass(frozen=True, slots=True)
class Run:
    """What happens during one recording, before any sensor hears it.

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
        Of the shaft, ``(samples,)``, see `shaft_angle`.
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
    drone: Array


def simulate_recording(
    case: Case, *, seconds: float, seed: int = 0, severity: float = 1.0, noise: float = 1.0
) -> Simulated:
    """Give one recording; the same arguments give the same samples, whatever else is simulated.

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
    """
    rng = np.random.default_rng([seed, 0, case.number])
    mount = _mount(np.random.default_rng([seed, 1, case.number - case.load_hp]))
    machine = _machine(np.random.default_rng([seed, 2]))
    # No two runs at one load turn quite equally fast.
    rpm = NOMINAL_RPM[case.load_hp] + rng.uniform(-1.5, 1.5)
    run = _run(rng, case, mount, machine, rpm=rpm, seconds=seconds)
    run = replace(run, strength=severity, noise=noise * run.noise)
    channels = {}
    for sensor, waveform in zip(SENSORS, machine.waveforms, strict=True):
        if sensor.name == "BA" and case.place is None:
            continue
        x = decimate(_hear(rng, run, mount.modes, sensor, waveform), FS // case.sampling_rate)
        # An accelerometer passes no steady acceleration; the offset is the amplifier's.
        x += rng.normal(sensor.offset, sensor.offset_spread) - x.mean()
        channels[sensor.name] = quantise(x, sensor.step)
    return Simulated(case, rpm, channels)


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
) -> Run:
    # Everything happens at one rate: what a fault and a healthy bearing have in common must not
    # differ by how it was computed.
    samples = round(seconds * case.sampling_rate) * FS // case.sampling_rate
    impacts, lead = _impacts(rng, case, mount, rpm / 60, samples / FS)
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
    rng: np.random.Generator, case: Case, mount: Mount, shaft_hz: float, seconds: float
) -> tuple[Impacts, float]:
    if case.place is None or case.size is None:
        return Impacts(np.zeros(0), np.zeros(0)), 0.0
    spall = Spall(case.place, int(case.size) / 1000)
    impacts = strikes(
        rng,
        BEARING,
        spall,
        shaft_hz=shaft_hz,
        seconds=seconds,
        slip=rng.uniform(-0.005, 0.005),
        zone=mount.zone,
    )
    growth = (spall.diameter / SMALLEST) ** GROWTH * (1 + 0.1 * case.load_hp)
    scale = STRENGTH[case.place] * growth * mount.gain
    lead = entry_lead(BEARING, spall, shaft_hz)
    return replace(impacts, amplitudes=scale * impacts.amplitudes), lead


def _hear(
    rng: np.random.Generator, run: Run, modes: Sequence[Mode], sensor: Sensor, waveform: Array
) -> Array:
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
