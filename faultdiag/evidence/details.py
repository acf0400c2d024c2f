"""What a report shows of a recording beside its evidence: pictures of its signal, and severity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.evidence.gather import Evidence, Machine
from faultdiag.evidence.severity import Group, Mounting, Severity, parse_units, severity
from faultdiag.evidence.views import SignalViews, measure_views
from faultdiag.readers.base import channel_unit

NO_UNITS = (
    "the velocity and its zone: nothing states the unit of the signal; give --units g, m/s2 or "
    "mm/s, and for a zone --machine-group and --mounting"
)


@dataclass(frozen=True, slots=True)
class DetailRequest:
    """What the user states for the severity.

    Parameters
    ----------
    units
        Of the signals; those that a channel's name states where None.
    group, mounting
        Of the machine, for a zone of ISO 20816-3.
    """

    units: str | None = None
    group: Group | None = None
    mounting: Mounting | None = None


@dataclass(frozen=True, eq=False)
class RecordingDetails:
    """Pictures of one channel, and its severity or why there is none."""

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
    """Compute what a report shows of the channel that the evidence was found in.

    Parameters
    ----------
    x
        ``(samples,)``, as recorded.
    channel
        Its name.
    machine
        What is known beside it.
    evidence
        Chooses the band whose envelope is shown.
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
    found, refusal = _severity(x, machine, stated, request)
    return RecordingDetails(views, found, refusal)


def _severity(
    x: NDArray[np.floating], machine: Machine, stated: str | None, request: DetailRequest
) -> tuple[Severity | None, str | None]:
    units, source = request.units, "argument"
    if units is None and stated is not None and parse_units(stated):
        units, source = stated, "file"
    if units is None:
        return None, NO_UNITS
    try:
        found = severity(
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
    return found, None
