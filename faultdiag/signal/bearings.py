"""Rolling bearings: geometry, fault frequencies, and the catalogue of known types.

All orders are multiples of the shaft rate, for a rotating inner and a fixed outer ring and
rolling elements that do not slip. Real ones slip: a measured order differs by one or two percent.

References
----------
.. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial",
   Mech. Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
"""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError, did_you_mean


@dataclass(frozen=True, slots=True)
class FaultOrders:
    """Fault frequencies of a bearing, in multiples of the shaft rate or in Hz.

    Parameters
    ----------
    bpfo, bpfi
        Ball pass frequencies of the outer and of the inner race.
    bsf
        Ball spin frequency; a spot on a ball strikes a race at twice this.
    ftf
        Fundamental train frequency: the rate of the cage.
    """

    bpfo: float
    bpfi: float
    bsf: float
    ftf: float

    def at(self, rpm: float) -> "FaultOrders":
        """Return the frequencies in Hz at a shaft speed in revolutions per minute."""
        return FaultOrders(*(order * rpm / 60 for order in astuple(self)))


@dataclass(frozen=True, slots=True)
class Bearing:
    """A rolling bearing by its geometry.

    Parameters
    ----------
    name
        Its designation, such as ``6205``.
    balls
        Number of balls or rollers in a row.
    ball_diameter, pitch_diameter
        In the same unit; only their ratio matters.
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
        """Return the fault frequencies in Hz at a shaft speed in revolutions per minute."""
        return self.orders.at(rpm)


@dataclass(frozen=True, slots=True)
class StatedBearing:
    """A bearing whose fault orders somebody states and whose geometry is unknown.

    Parameters
    ----------
    name
        The bearing, or who states its orders.
    orders
        In multiples of the shaft rate.
    """

    name: str
    orders: FaultOrders

    @property
    def balls(self) -> int:
        """Number of balls or rollers in a row: ``BPFO + BPFI``."""
        return round(self.orders.bpfo + self.orders.bpfi)

    def frequencies(self, rpm: float) -> FaultOrders:
        """Return the fault frequencies in Hz at a shaft speed in revolutions per minute."""
        return self.orders.at(rpm)


KnownBearing: TypeAlias = Bearing | StatedBearing
"""A bearing whose fault orders are known, from its geometry or as stated."""

CONDITIONS = ("shaft_rate", "bpfo", "bpfi", "bsf", "ftf")
"""The conditions of a window, which a network can use: shaft rate in Hz, and fault orders."""


def conditions(rpm: float | None, bearing: KnownBearing | None) -> tuple[float, ...]:
    """Return `CONDITIONS` of a recording; NaN for what is unknown.

    Examples
    --------
    >>> [round(value, 2) for value in conditions(1800, get_bearing("6205"))]
    [30.0, 3.58, 5.42, 2.36, 0.4]
    """
    orders = (math.nan,) * 4 if bearing is None else astuple(bearing.orders)
    return (math.nan if rpm is None else rpm / 60, *orders)


# Teeth of two combs closer than this, in shaft orders, are one peak in a window of 3 s at 1800 rpm.
_ONE_PEAK = 0.02
# From this share of common teeth on, one comb is taken for the other. Of the catalogue's bearings
# the ambiguous ones share three quarters or more and the others half or less.
_AMBIGUOUS = 2 / 3


def ambiguous_parts(orders: FaultOrders, slip: float) -> list[tuple[str, str]]:
    """Return the pairs of damaged and suspected part whose lines coincide within the slip.

    With an unknown slip up to `slip` either way, the lines of a damage of the first part include
    most of those by which a damage of the second is recognised. So it is with 8 balls: there
    ``BPFI + BPFO = 8``, and where ``BPFI`` is near 5 every line ``BPFO k`` is a sideband of the
    inner race.

    Parameters
    ----------
    orders
        Fault orders of the bearing.
    slip
        Largest slip that is searched, as a share.

    Examples
    --------
    >>> ambiguous_parts(get_bearing("6203").orders, 0.015)
    [('inner', 'outer'), ('outer', 'inner')]
    >>> ambiguous_parts(get_bearing("6205").orders, 0.015)
    []
    """
    combs = {"inner": (orders.bpfi, 1.0), "outer": (orders.bpfo, 1.0)}
    combs["ball"] = (2 * orders.bsf, orders.ftf)
    slips = np.linspace(1 - slip, 1 + slip, 31)
    return [
        (damaged, suspected)
        for damaged, suspected in permutations(combs, 2)
        if _common_teeth(combs[damaged], suspected, combs[suspected], slips) > _AMBIGUOUS
    ]


def ambiguity(bearing: KnownBearing, slip: float) -> str | None:
    """Return in words which damaged parts the lines of a bearing can't tell apart, or None.

    Examples
    --------
    >>> str(ambiguity(get_bearing("6203"), 0.015)).partition(":")[0]
    'inner race or outer race'
    >>> ambiguity(get_bearing("6205"), 0.015)
    """
    pairs = {frozenset(pair) for pair in ambiguous_parts(bearing.orders, slip)}
    if not pairs:
        return None
    words = [" or ".join(_WORDS[part] for part in _WORDS if part in pair) for pair in pairs]
    return (
        f"{'; '.join(sorted(words))}: with the {bearing.balls} balls of {bearing.name} and a slip "
        f"up to {slip * 100:g} %, the lines of one coincide with those of the other"
    )


_WORDS = {"inner": "inner race", "outer": "outer race", "ball": "ball"}


def _common_teeth(
    damaged: tuple[float, float],
    part: str,
    suspected: tuple[float, float],
    slips: NDArray[np.float64],
) -> float:
    """Return the largest share of a part's scored teeth that a damaged part's comb has, too."""
    lines = _teeth(damaged, slips, harmonics=4, sidebands=2)  # (slips, teeth)
    outer = part == "outer"
    scored = _teeth(suspected, slips, harmonics=3 + outer, sidebands=0 if outer else 1)
    distance = np.abs(scored[:, None, :, None] - lines[None, :, None, :]).min(-1)
    return float((distance <= _ONE_PEAK).mean(-1).max())


def _teeth(
    comb: tuple[float, float], slips: NDArray[np.float64], *, harmonics: int, sidebands: int
) -> NDArray[np.float64]:
    moving = slips[:, None, None] * comb[0] * np.arange(1, harmonics + 1)[:, None]
    fixed = comb[1] * np.arange(-sidebands, sidebands + 1)
    return np.asarray((moving + fixed).reshape(len(slips), -1))


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """A bearing of the catalogue and where its numbers come from.

    Parameters
    ----------
    bearing
        Geometry where it is published, else the published fault orders.
    designation, maker
        Such as ``6203`` and ``FAG``; the maker is empty where it is not known.
    type
        In words: ``"deep groove ball"``.
    unit
        Unit of the diameters: mm or inch; empty if only orders are known.
    approximate
        Whether the numbers are estimates; `note` says why.
    note, source
        What to know about the numbers, and who publishes them.
    """

    bearing: KnownBearing
    designation: str
    maker: str
    type: str
    unit: str
    approximate: bool
    note: str
    source: str


@cache
def catalogue() -> Mapping[str, CatalogueRow]:
    """Read the bearings of bearings.csv by name.

    The name is the designation. Where several makers' bearings have one designation, the first
    has the bare designation as its name and each of the others adds its maker: ``6203 FAG``.
    """
    rows: dict[str, CatalogueRow] = {}
    with Path(__file__).with_name("bearings.csv").open(encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file):
            name = (
                cells["name"] if cells["name"] not in rows else f"{cells['name']} {cells['maker']}"
            )
            rows[name] = _row(name, cells)
    return rows


def _row(name: str, cells: Mapping[str, str]) -> CatalogueRow:
    bearing: KnownBearing
    if cells["elements"]:
        diameters = float(cells["element_diameter"]), float(cells["pitch_diameter"])
        bearing = Bearing(name, int(cells["elements"]), *diameters, float(cells["contact_angle"]))
    else:
        orders = FaultOrders(*(float(cells[key]) for key in ("bpfo", "bpfi", "bsf", "ftf")))
        bearing = StatedBearing(name, orders)
    return CatalogueRow(
        bearing=bearing,
        designation=cells["name"],
        maker=cells["maker"],
        type=cells["type"],
        unit=cells["unit"],
        approximate=cells["approximate"] == "yes",
        note=cells["note"],
        source=cells["source"],
    )


def find_bearing(name: str) -> CatalogueRow:
    """Find a bearing of the catalogue.

    Seals, cages and clearances behind the designation (``6205-2RS``, ``NU 206-E-XL``), case,
    spaces and hyphens don't matter. A maker chooses among several bearings of one designation
    (``6203 FAG``, ``FAG 6203``); without one the first in the catalogue is taken.

    Raises
    ------
    FaultdiagError
        If no bearing has this designation.

    Examples
    --------
    >>> find_bearing("FAG 6203-2Z").bearing.name, find_bearing("er16k").bearing.name
    ('6203 FAG', 'ER-16K')
    """
    words = re.findall(r"[^\s/_-]+", name.upper())
    rows = _rows_of_designation(words)
    if not rows:
        raise FaultdiagError(
            f"unknown bearing '{name}'{did_you_mean(name, catalogue())}; the {len(catalogue())} "
            "known ones are listed by 'faultdiag bearings'; a geometry works too: "
            "balls,ball_diameter,pitch_diameter[,angle_deg]"
        )
    return next((row for row in rows if row.maker.upper() in words), rows[0])


def _rows_of_designation(words: list[str]) -> list[CatalogueRow]:
    """Return the bearings of the designation that the words name, with or without a maker."""
    rows = catalogue().values()
    makers = {row.maker.upper() for row in rows}
    designation = _designation(words) or _designation([w for w in words if w not in makers])
    return [row for row in rows if row.designation == designation]


def _designation(words: list[str]) -> str | None:
    """Return the longest designation that the words begin with, or None.

    ``NU 206-E`` begins with NU206, ``6205ZZ`` with 6205; 62051 does not, for a digit follows.
    """
    known = {_bare(row.designation): row.designation for row in catalogue().values()}
    starts = ["".join(words[:count]) for count in range(len(words), 0, -1)]
    for start in starts:
        if start in known:
            return known[start]
    for start in starts:
        for end in range(len(start) - 1, 0, -1):
            if start[:end] in known and not (start[end - 1].isdigit() and start[end].isdigit()):
                return known[start[:end]]
    return None


def _bare(designation: str) -> str:
    return designation.upper().replace("-", "")


BEARINGS: dict[str, Bearing] = {
    name: row.bearing for name, row in catalogue().items() if isinstance(row.bearing, Bearing)
}
"""The bearings of the catalogue whose geometry is known, by name."""


def get_bearing(name: str) -> KnownBearing:
    """Return a bearing by its name, or one of ``balls,ball_diameter,pitch_diameter[,angle]``.

    The angle is in degrees.

    Raises
    ------
    FaultdiagError
        If the name is not in the catalogue, or the geometry can't be read.

    Examples
    --------
    >>> get_bearing("6205-2RS").balls
    9
    >>> get_bearing("8,0.235,1.245").orders == get_bearing("nice").orders
    True
    """
    return _from_geometry(name) if "," in name else find_bearing(name).bearing


_GEOMETRY = ("balls", "ball_diameter", "pitch_diameter", "contact_angle")


def bearing_text(value: object) -> str:
    """Return a bearing as text that `get_bearing` takes.

    Parameters
    ----------
    value
        A name, as text or as the number that YAML makes of it; a geometry as text, or as a mapping
        ``{balls: 9, ball_diameter: 0.3126, pitch_diameter: 1.537}`` with or without
        ``contact_angle``, in degrees.

    Raises
    ------
    FaultdiagError
        If there is no such bearing.

    Examples
    --------
    >>> bearing_text({"balls": 8, "ball_diameter": 0.235, "pitch_diameter": 1.245})
    '8,0.235,1.245'
    >>> bearing_text(6205)
    '6205'
    """
    if isinstance(value, Mapping):
        value = _geometry_text(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise FaultdiagError(
            f"the bearing is {value!r}; write a name, such as 6205, or a geometry: "
            "balls,ball_diameter,pitch_diameter[,angle_deg]"
        )
    get_bearing(str(value))
    return str(value)


def _geometry_text(value: Mapping[str, object]) -> str:
    strange = [str(name) for name in value if name not in _GEOMETRY]
    missing = [name for name in _GEOMETRY[:3] if name not in value]
    if strange or missing:
        problem = f"has no {', '.join(missing)}" if missing else f"has {', '.join(strange)}"
        raise FaultdiagError(
            f"the bearing {dict(value)} {problem}; write {{balls: 9, ball_diameter: 0.3126, "
            "pitch_diameter: 1.537}, and contact_angle in degrees if it isn't 0"
        )
    return ",".join(str(value[name]) for name in _GEOMETRY if name in value)


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
