"""The bearing of each recording: its manifest's or catalogue's, else that of the config."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.config.schema import parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.prepare import prepare
from faultdiag.preparing.recordings import choose_recordings

GEOMETRY = {"balls": 8, "ball_diameter": 0.235, "pitch_diameter": 1.245}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c", "d"):
        np.save(folder / f"{name}.npy", rng.standard_normal(12_000).astype(np.float32))
    rows = ["a,N,", "b,N,6203", "c,IR,rig 2 no. 5", 'd,IR,"8,0.235,1.245"']
    lines = [f"{row.replace(',', '.npy,', 1)}" for row in rows]
    (folder / "manifest.csv").write_text("\n".join(["path,label,bearing", *lines]))
    return folder


def config(root: Path, bearing: Any, **data: Any) -> dict[str, Any]:
    section = {"dataset": "manifest", "root": str(root), "recorded_at": 12_000, "rpm": 1800}
    section |= {"channels": ["x"], "healthy": ["N"], "prepared": str(root / "prepared")}
    window = {"length": 1000, "stride": 1000}
    return {"data": {**section, **data, "bearing": bearing}, "window": window}


@pytest.mark.parametrize("bearing", [6205, "6205", "9,0.3126,1.537"])
def test_rows_without_a_known_bearing_take_that_of_the_config(root: Path, bearing: Any) -> None:
    chosen = choose_recordings(parse_config(config(root, bearing)))
    named = [entry.facts["bearing"] for entry in chosen.entries]
    assert named == [str(bearing), "6203", str(bearing), "8,0.235,1.245"]
    assert chosen.entries[2].facts["specimen"] == "rig 2 no. 5", "which bearing it was stays known"
    assert chosen.notes == [
        f"data.bearing is {bearing}, but the catalogue or manifest states 6203, 8,0.235,1.245, "
        "which is used, of b, d"
    ]


def test_the_networks_conditions_are_of_each_recordings_own_bearing(root: Path) -> None:
    prepared = prepare(parse_config(config(root, GEOMETRY)))
    bearings = [recording.bearing for recording in prepared.recordings]
    assert [bearing and round(bearing.orders.bpfi, 3) for bearing in bearings] == [
        *(4.755, 4.947, 4.755, 4.755)
    ]


def test_without_data_bearing_nothing_is_added(root: Path) -> None:
    chosen = choose_recordings(parse_config(config(root, None)))
    assert next(entry.facts["bearing"] for entry in chosen.entries) is None
    assert chosen.notes == []


def test_a_bearing_that_no_recording_takes_is_refused(root: Path) -> None:
    (root / "other.csv").write_text("path,label,bearing\nb.npy,N,6203\nd.npy,IR,6203\n")
    data = config(root / "other.csv", 6205)
    with pytest.raises(
        FaultdiagError,
        match=r"data.bearing is 6205, but the catalogue or manifest states another bearing "
        r"\(6203\) of all 2 recordings; leave data.bearing out",
    ):
        choose_recordings(parse_config(data))


@pytest.mark.parametrize(
    ("bearing", "message"),
    [
        ("6250", r"data\.bearing: unknown bearing '6250'.*'faultdiag bearings'"),
        (
            {"balls": 9},
            r"data\.bearing: the bearing .* has no ball_diameter, pitch_diameter; write",
        ),
        ({**GEOMETRY, "cage": 1}, r"data\.bearing: the bearing .* has cage; write"),
        ("9,1.537,0.3126", r"data\.bearing: .*the pitch the larger one"),
        (True, r"data\.bearing: the bearing is True; write a name"),
        ([6205], r"data\.bearing: the bearing is \[6205\]; write a name"),
    ],
)
def test_what_is_no_bearing_is_refused_with_what_would_work(
    root: Path, bearing: Any, message: str
) -> None:
    with pytest.raises(FaultdiagError, match=message):
        parse_config(config(root, bearing))
