"""Bearing geometry and the fault frequencies that follow from it: formulas only.

All orders are multiples of the shaft rate, for a rotating inner and a fixed outer ring and balls
that roll without slip. Real balls slip, so a measured order lies up to one or two percent off.
"""

import math
from dataclasses import astuple, dataclass
from typing import TypeAlias

from faultdiag.errors import FaultdiagError, unknown


@dataclass(frozen=True, slots=True)
class FaultOrders:
    """Fault frequencies of a bearing, in multiples of the shaft rate or in Hz.

    Parameters
    ----------
    bpfo
        Ball pass frequency of the outer race.
    bpfi
        Ball pass frequency of the inner race.
    bsf
        Ball spin frequency; a spot on a ball strikes a race at twice this.
    ftf
        Fundamental train frequency: the rate of the cage.
    """

    bpfo: float
    bpfi: float
    bsf: float
    ftf: float


@dataclass(frozen=True, slots=True)
class Bearing:
    """A rolling bearing by its geometry.

    Parameters
    ----------
    name
        What the bearing is called.
    balls
        Number of balls or rollers in the row.
    ball_diameter, pitch_diameter
        In the same unit, whichever: only their ratio matters.
    contact_angle
        Degrees.

    Raises
    ------
    FaultdiagError
        If no bearing can have this geometry.

    Examples
    --------
    >>> orders = Bearing("6205", 9, 0.3126, 1.537).orders
    >>> round(orders.bpfi, 3), round(orders.bpfo, 3)
    (5.415, 3.585)
    """

    name: str
    balls: int
    ball_diameter: float
    pitch_diameter: float
    contact_angle: float = 0.0

    def __post_init__(self) -> None:
        if self.balls < 2:
            raise FaultdiagError(
                f"bearing {self.name}: balls is {self.balls}; give the number in the row, 2 or more"
            )
        if not 0 < self.ball_diameter < self.pitch_diameter < math.inf:
            raise FaultdiagError(
                f"bearing {self.name}: ball diameter {self.ball_diameter:g}, pitch diameter "
                f"{self.pitch_diameter:g}; both must be positive and the pitch the larger one"
            )
        if not 0 <= self.contact_angle < 90:
            raise FaultdiagError(
                f"bearing {self.name}: contact angle is {self.contact_angle:g} degrees; "
                "give 0 or more and less than 90"
            )

    @property
    def orders(self) -> FaultOrders:
        """Fault frequencies in multiples of the shaft rate.

        With n balls of diameter d on the pitch diameter D, contact angle a and
        ``g = d / D * cos(a)``: ``BPFO = n/2 (1 - g)``, ``BPFI = n/2 (1 + g)``,
        ``BSF = D/(2d) (1 - g**2)``, ``FTF = (1 - g)/2``.

        References
        ----------
        .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial",
           Mech. Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
        """
        ratio = self.ball_diameter / self.pitch_diameter
        g = ratio * math.cos(math.radians(self.contact_angle))
        return FaultOrders(
            bpfo=self.balls / 2 * (1 - g),
            bpfi=self.balls / 2 * (1 + g),
            bsf=(1 - g * g) / (2 * ratio),
            ftf=(1 - g) / 2,
        )

    def frequencies(self, rpm: float) -> FaultOrders:
        """Fault frequencies in Hz at a shaft speed in revolutions per minute."""
        return FaultOrders(*(order * rpm / 60 for order in astuple(self.orders)))


@dataclass(frozen=True, slots=True)
class StatedBearing:
    """A bearing by the fault orders that somebody states, its geometry unknown.

    Parameters
    ----------
    name
        Who states them.
    orders
        In multiples of the shaft rate.
    """

    name: str
    orders: FaultOrders


KnownBearing: TypeAlias = Bearing | StatedBearing
"""A bearing whose fault orders are known, from its geometry or as stated."""

BEARINGS: dict[str, Bearing] = {
    bearing.name: bearing
    for bearing in (
        # CWRU Bearing Data Center, "Bearing information": drive end and fan end; inch.
        Bearing("6205", 9, 0.3126, 1.537),
        Bearing("6203", 8, 0.2656, 1.122),
        # MFPT Condition Based Maintenance Fault Database, test rig; inch.
        Bearing("NICE", 8, 0.235, 1.245),
    )
}


def get_bearing(name: str) -> Bearing:
    """Give a bearing by its name, or one made from ``balls,ball_diameter,pitch_diameter[,angle]``.

    Suffixes after the number (seals, cage, maker: ``6205-2RS JEM``) don't change the geometry and
    are ignored, as is case. The angle is in degrees.

    Raises
    ------
    FaultdiagError
        If the name is not in the table, or the geometry can't be read.

    Examples
    --------
    >>> get_bearing("6205-2RS").balls
    9
    >>> get_bearing("8,0.235,1.245").orders == get_bearing("nice").orders
    True
    """
    if "," in name:
        return _from_geometry(name)
    wanted = name.strip().upper()
    designation = wanted.replace("/", "-").replace(" ", "-").split("-")[0]
    if designation not in BEARINGS:
        known = [*BEARINGS, "or a geometry: balls,ball_diameter,pitch_diameter[,angle_deg]"]
        raise unknown("bearing", name, known)
    return BEARINGS[designation]


def _from_geometry(text: str) -> Bearing:
    parts = [part.strip() for part in text.split(",")]
    try:
        balls, *lengths = int(parts[0]), *(float(part) for part in parts[1:])
    except ValueError:
        lengths = []
    if not 2 <= len(lengths) <= 3:
        raise FaultdiagError(
            f"bearing geometry '{text}' can't be read; "
            "give balls,ball_diameter,pitch_diameter[,angle_deg] such as 9,0.3126,1.537"
        )
    return Bearing(text, balls, *lengths)
