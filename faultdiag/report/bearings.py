"""Texts and plain values of the catalogue of bearings."""

from collections.abc import Iterable
from dataclasses import asdict

from faultdiag.documents import Json
from faultdiag.signal.bearings import Bearing, CatalogueRow

_HEADER = ("bearing", "maker", "type", "balls", "BPFO", "BPFI", "BSF", "FTF", "")


def bearing_values(row: CatalogueRow) -> Json:
    """Return a bearing of the catalogue as plain values, ready for JSON."""
    bearing = row.bearing
    geometry = None
    if isinstance(bearing, Bearing):
        geometry = {
            "ball_diameter": bearing.ball_diameter,
            "pitch_diameter": bearing.pitch_diameter,
            "unit": row.unit,
            "contact_angle": bearing.contact_angle,
        }
    return {
        "name": bearing.name,
        "maker": row.maker or None,
        "type": row.type,
        "balls": bearing.balls,
        "geometry": geometry,
        "orders": asdict(bearing.orders),
        "approximate": row.approximate,
        "note": row.note or None,
        "source": row.source,
    }


def bearings_text(rows: Iterable[CatalogueRow]) -> str:
    """Return the list of bearings: one line each, with the fault orders."""
    lines: list[tuple[str, ...]] = [_HEADER]
    for row in rows:
        orders = row.bearing.orders
        numbers = [f"{value:.3f}" for value in (orders.bpfo, orders.bpfi, orders.bsf, orders.ftf)]
        mark = "approximate" if row.approximate else ""
        lines.append(
            (row.bearing.name, row.maker, row.type, str(row.bearing.balls), *numbers, mark)
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADER))]
    text = [
        "  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)) for line in lines
    ]
    return "\n".join(
        [
            *(line.rstrip() for line in text),
            "",
            "Orders are multiples of the shaft rate; a spot on a ball strikes at 2 x BSF.",
            "'faultdiag bearings NAME' shows geometry and source.",
        ]
    )


def bearing_text(row: CatalogueRow) -> str:
    """Return all that the catalogue knows of one bearing."""
    bearing, orders = row.bearing, row.bearing.orders
    maker = f", {row.maker}" if row.maker else ""
    lines = [f"{bearing.name}{maker}: {row.type} bearing", _geometry(row)]
    lines += [
        f"{key.upper():5} {value:7.4f} x shaft rate  ({value:.4f} Hz at 60 rpm)"
        for key, value in asdict(orders).items()
    ]
    if row.approximate:
        lines.append("approximate: check it against the bearing's maker")
    if row.note:
        lines.append(f"note: {row.note}")
    return "\n".join([*lines, f"source: {row.source}"])


def _geometry(row: CatalogueRow) -> str:
    bearing = row.bearing
    if not isinstance(bearing, Bearing):
        return f"{bearing.balls} balls or rollers in a row; its diameters are not published"
    return (
        f"{bearing.balls} balls or rollers of {bearing.ball_diameter:g} {row.unit} in a row, pitch "
        f"diameter {bearing.pitch_diameter:g} {row.unit}, contact angle "
        f"{bearing.contact_angle:g} degrees"
    )
