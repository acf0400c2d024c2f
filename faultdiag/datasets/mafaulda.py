"""The Machinery Fault Database of the Federal University of Rio de Janeiro (MAFAULDA)."""

import re
from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedDataset, PublishedSet, read_files

_NAME = re.compile(
    r"(?:^|/)(?:(normal)"
    r"|(imbalance)/(\d+)g"
    r"|(horizontal|vertical)[-_ ]misalignment/(\d+\.\d+)mm"
    r"|(underhang|overhang)/(ball|cage|outer)[-_ ](?:fault|race)/(\d+)g)"
    r"/(\d+(?:\.\d+)?)$",
)
_BEARING_FAULTS = {
    "ball": ("ball", "B"),
    "cage": ("cage", "C"),
    "outer": ("outer", "OR"),
}
CHANNELS = (
    *("tachometer", "underhang_axial", "underhang_radial", "underhang_tangential"),
    *("overhang_axial", "overhang_radial", "overhang_tangential", "microphone"),
)


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path.lower())
    if match is None:
        return []
    _, imbalance, grams, misaligned, offset, position, part, mass, hertz = match.groups()
    fault, code = ("normal", "N")
    if part:
        fault, code = _BEARING_FAULTS[part]
    elif imbalance or misaligned:
        fault = code = imbalance or f"{misaligned} misalignment"
    return [
        {
            "name": _published_path(match[0].lstrip("/")),
            "fault": fault,
            "code": code,
            "position": position,
            "mass_g": int(grams or mass or 0),
            "offset_mm": float(offset or 0),
            "rpm": round(60 * float(hertz), 3),
            "sampling_rate": 50000,
            "bearing": "MAFAULDA",
        }
    ]


def _published_path(path: str) -> str:
    """Return a path with the signs between words that the publisher uses."""
    folders = re.sub(r"[-_ ]misalignment", "-misalignment", path)
    return re.sub(r"(ball|cage|outer)[- ](fault|race)", r"\1_\2", folders)


def _paths() -> Iterator[str]:
    """Iterate over one recording of each state; the speeds of the others differ."""
    yield "normal/12.288"
    yield from (f"imbalance/{grams}g/12.288" for grams in (6, 10, 15, 20, 25, 30, 35))
    for mm in ("0.5", "1.0", "1.5", "2.0"):
        yield f"horizontal-misalignment/{mm}mm/12.288"
    for mm in ("0.51", "0.63", "1.27", "1.40", "1.78", "1.90"):
        yield f"vertical-misalignment/{mm}mm/12.288"
    for position in ("underhang", "overhang"):
        for part in ("ball_fault", "cage_fault", "outer_race"):
            yield from (f"{position}/{part}/{grams}g/12.288" for grams in (0, 6, 20, 35))


class Mafaulda(PublishedDataset):
    """MAFAULDA's 1951 recordings: imbalance, misalignment and bearing faults at many speeds.

    ``underhang/cage_fault/6g/13.312.csv`` is a cage fault of the bearing between motor and rotor,
    with a mass of 6 g on the rotor, at 13.312 Hz shaft rate. 250,000 samples at 50 kHz of eight
    columns without a header: ``tachometer``, ``underhang_axial``, ``_radial``, ``_tangential``,
    ``overhang_axial``, ``_radial``, ``_tangential``, ``microphone``. Faults are balls (B), cage
    (C), outer race (OR), imbalance and misalignment; a bearing fault is labelled by
    ``position``, underhang or overhang.

    The publisher's page contradicts itself: its tables name outer track, rolling elements and
    inner track where the folders are cage_fault, outer_race and ball_fault. The folders count
    here. The recorder's own rate is 51.2 kHz; the page states 50 kHz.

    References
    ----------
    .. [1] F. M. L. Ribeiro et al., "MAFAULDA, Machinery Fault Database", SMT, COPPE/UFRJ,
       https://www02.smt.ufrj.br/~offshore/mfs/page_01.html
    """

    published = PublishedSet(
        title="MAFAULDA",
        licence="not stated; free to download",
        citation=(
            "F. M. L. Ribeiro et al., MAFAULDA, Machinery Fault Database, SMT, COPPE/UFRJ, "
            "https://www02.smt.ufrj.br/~offshore/mfs/page_01.html"
        ),
        source="https://www02.smt.ufrj.br/~offshore/mfs/page_01.html",
        label="{fault}",
        parse=_parse,
        paths=_paths,
        complete=False,
        files=read_files("mafaulda"),
        suffixes=(".csv", ".npy"),
        columns=lambda _: {name: i for i, name in enumerate(CHANNELS)},
    )
