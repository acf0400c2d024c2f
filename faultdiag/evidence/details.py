"""Details of a recording for a report: the data of the pictures of its signal, and its severity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.gather import Evidence, Machine
from faultdiag.evidence.peaks import (
    HIGHEST_HZ,
    LONGEST,
    averaged_envelope_spectra,
    highest_order,
    too_short,
)
from faultdiag.evidence.severity import Group, Mounting, Severity, parse_units, severity
from faultdiag.readers.base import channel_unit
from faultdiag.signal.bearings import KnownBearing
from faultdiag.signal.dsp import Band, Spectrum, spectrum

DETAIL_REVOLUTIONS = 8
DETAIL_SECONDS = 0.25
COLUMNS = 600


@dataclass(frozen=True, eq=False)
class SignalViews:
    """The data of the pictures of one channel of a recording.

    Parameters
    ----------
    channel, unit
        Name of the channel; its unit, or None if that is not stated.
    times, low, high
        Smallest and largest value in each of at most 600 columns; times in seconds.
    detail_times, detail
        A piece from the middle, eight revolutions or a quarter of a second.
    frequencies, spectrum
        Largest amplitude of each column of the spectrum; Hz.
    band
        The band in Hz whose envelope is shown.
    envelope
        Spectrum of the squared envelope in that band, up to the highest order that is searched;
        None if the recording is too short.
    shaft_rate
        Hz, or None if the speed is unknown.
    """

    channel: str
    unit: str | None
    times: Floats
    low: Floats
    high: Floats
    detail_times: Floats
    detail: Floats
    frequencies: Floats
    spectrum: Floats
    band: Band
    envelope: Spectrum | None
    shaft_rate: float | None


def measure_views(
    x: NDArray[np.floating],
    fs: float,
    *,
    channel: str,
    band: Band | None,
    rpm: float | None = None,
    bearing: KnownBearing | None = None,
    unit: str | None = None,
) -> SignalViews:
    """Compute the data of the pictures of one channel.

    Parameters
    ----------
    x, fs
        The signal as recorded, ``(samples,)``, and its sampling rate in Hz.
    channel, unit
        Its name and unit.
    band
        The band whose envelope is shown; None for the whole spectrum.
    rpm, bearing
        Decide how far the envelope spectrum goes.
    """
    times, low, high = _columns(np.arange(x.size) / fs, x)
    turns = DETAIL_REVOLUTIONS * 60 / rpm if rpm else DETAIL_SECONDS
    count = min(max(round(turns * fs), 2), x.size)
    start = (x.size - count) // 2
    whole = spectrum(x[:LONGEST], fs)
    frequencies, _, amplitudes = _columns(whole.frequencies[1:], whole.amplitudes[1:])
    shown = band or (0.0, fs / 2)
    return SignalViews(
        channel=channel,
        unit=unit,
        times=times,
        low=low,
        high=high,
        detail_times=(start + np.arange(count)) / fs,
        detail=np.asarray(x[start : start + count], dtype=np.float64),
        frequencies=frequencies,
        spectrum=amplitudes,
        band=shown,
        envelope=_envelope(x, fs, shown, rpm, bearing),
        shaft_rate=rpm / 60 if rpm else None,
    )


def _envelope(
    x: NDArray[np.floating],
    fs: float,
    band: Band,
    rpm: float | None,
    bearing: KnownBearing | None,
) -> Spectrum | None:
    if too_short(x.size, fs, rpm):
        return None
    whole = averaged_envelope_spectra(x, fs, [band])[0]
    highest = highest_order(bearing) * rpm / 60 if rpm else HIGHEST_HZ
    last = int(highest / whole.frequencies[1]) + 1
    return Spectrum(whole.frequencies[:last], whole.amplitudes[:last])


def _columns(places: Floats, values: NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Return the first place, the smallest and the largest value of at most 600 columns."""
    width = max(-(-values.size // COLUMNS), 1)
    count = values.size // width
    columns = np.asarray(values[: count * width], dtype=np.float64).reshape(count, width)
    return places[: count * width : width], columns.min(axis=1), columns.max(axis=1)


NO_UNITS = (
    "the velocity and its zone: nothing states the unit of the signal; give --units g, m/s2 or "
    "mm/s, and for a zone --machine-group and --mounting"
)


@dataclass(frozen=True, slots=True)
class DetailRequest:
    """What the user states about signals and machine, for the severity.

    Parameters
    ----------
    units
        Unit of the signals; None takes the unit in a channel's name.
    group, mounting
        Machine group and mounting of ISO 20816-3, for a zone.
    """

    units: str | None = None
    group: Group | None = None
    mounting: Mounting | None = None


@dataclass(frozen=True, eq=False)
class RecordingDetails:
    """The views of one channel, and its severity or the reason why there is none."""

    views: SignalViews
    severity: Severity | None
    no_severity: str | None


def measure_details(
    x: NDArray[np.floating],
    channel: str,
    machine: Machine,
    evidence: Evidence,
    request: DetailRequest,
) -> RecordingDetails:
    """Compute views and severity of the channel that the evidence was found in.

    Parameters
    ----------
    x
        ``(samples,)``, as recorded.
    channel
        Its name.
    machine
        Sampling rate, shaft speed and bearing.
    evidence
        Decides the band whose envelope is shown.
    request
        What the user states.
    """
    stated = channel_unit(channel)
    band = evidence.matched.band if evidence.matched else None
    if band is None and evidence.peaks:
        band = evidence.peaks[0].band
    views = measure_views(
        x,
        machine.fs,
        channel=channel,
        band=band,
        rpm=machine.rpm,
        bearing=machine.bearing,
        unit=stated or request.units,
    )
    grade, refusal = _severity(x, machine, stated, request)
    return RecordingDetails(views, grade, refusal)


def _severity(
    x: NDArray[np.floating], machine: Machine, stated: str | None, request: DetailRequest
) -> tuple[Severity | None, str | None]:
    units, source = request.units, "argument"
    if units is None and stated is not None and parse_units(stated):
        units, source = stated, "file"
    if units is None:
        return None, NO_UNITS
    try:
        grade = severity(
            x,
            machine.fs,
            units=units,
            units_source=source,
            rpm=machine.rpm,
            group=request.group,
            mounting=request.mounting,
        )
    except FaultdiagError as error:
        return None, str(error)
    return grade, None
