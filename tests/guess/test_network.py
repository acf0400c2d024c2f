"""The network that init proposes: by what is known of the recordings, with the reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.config.schema import load_config
from faultdiag.datasets.base import Entry
from faultdiag.guess.choices import choose_network, names_parts
from faultdiag.guess.guessing import write_guess
from tests.commands import run

RATE = 6000


def entry(**facts: Any) -> Entry:
    return Entry(Path("a.mat"), facts, None, None, "a")


@pytest.mark.parametrize(
    ("classes", "bearing", "rpm", "expected"),
    [
        (["N", "IR", "OR", "B"], "6205", 1797, True),
        (["healthy", "outer_race"], "9,0.3126,1.537", 1500, True),
        (["N", "IR"], "rig 2 no. 5", 1797, False),
        (["N", "IR"], None, 1797, False),
        (["N", "IR"], "6205", None, False),
        (["IR007", "IR014"], "6205", 1797, False),
        (["N", "cage"], "6205", 1797, False),
        (["on", "off"], "6205", 1797, False),
    ],
)
def test_when_the_classes_are_parts_of_known_bearings(
    classes: list[str], bearing: str | None, rpm: float | None, expected: bool
) -> None:
    assert names_parts(classes, [entry(bearing=bearing)], [1800, rpm]) is expected


@pytest.mark.parametrize(
    ("parts", "length", "name"),
    [
        (True, 36_000, "tied_z"),
        (True, 2048, "band_net"),
        (False, 36_000, "band_net"),
        (False, 256, "wdcnn"),
    ],
)
def test_the_network_and_its_reason(*, parts: bool, length: int, name: str) -> None:
    (first, *others) = choose_network(parts=parts, length=length, rate=12_000)
    assert first[:2] == ("name", name)
    assert "field's baseline" in first[2], "the alternatives are named"
    assert [setting[0] for setting in others] == ([] if name == "tied_z" else ["attention"])


def write_machine(folder: Path, *, bearing: str | None) -> Path:
    rng = np.random.default_rng(0)
    rows = ["path,label,sampling_rate,rpm" + (",bearing" if bearing else "")]
    for label in ("healthy", "inner", "outer"):
        np.save(folder / f"{label}.npy", rng.standard_normal(24 * RATE).astype(np.float32))
        end = f",{bearing}" if bearing else ""
        rows.append(f"{label}.npy,{label},{RATE},1500{end}")
    (folder / "manifest.csv").write_text("\n".join(rows))
    return folder


@pytest.mark.parametrize(
    ("bearing", "network", "reason"),
    [("6205", "tied_z", "hold on other machines"), (None, "band_net", "hold at other loads")],
)
def test_the_written_config_is_checked_and_says_why(
    tmp_path: Path, bearing: str | None, network: str, reason: str
) -> None:
    guess = write_guess(write_machine(tmp_path, bearing=bearing), tmp_path / "guess.yaml")
    assert reason in guess.explanation
    assert reason in " ".join(guess.yaml.replace("#", " ").split())
    config = load_config(tmp_path / "guess.yaml")
    assert config.model.name == network
    prepared = f"data.prepared={tmp_path / 'prepared'}"
    checked = run("check", tmp_path / "guess.yaml", "--set", prepared)
    assert checked.exit_code == 0, checked.output
