"""`init --from` chooses channels by what they are, or asks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.guess.guessing import guess_config
from faultdiag.guess.signals import choose_channel
from tests.commands import done, refused, run

N = 8000
SOUND = np.random.default_rng(0).standard_normal(N)
OTHERS = {
    "Time (seconds)": np.arange(N) / 25_600,
    "micros": np.arange(N) * 1e6 / 25_600,
    "rpm": 1480 + SOUND[::-1],
    "转速": 1480 + SOUND[::-1],
    "tacho": (np.arange(N) % 400 < 20) * 5.0 + 0.01 * SOUND,
    "温度": 45 + 0.1 * SOUND[::-1],
    "Last": 500 + 3 * SOUND[::-1],
    "label": np.arange(N) // 2000 % 3,
    "x1": (np.arange(N) % 1000) / 1000,
}


def write(path: Path, columns: dict[str, np.ndarray], order: Sequence[str]) -> Path:
    table = np.column_stack([columns[name] for name in order])
    lines = [";".join(order), *(";".join(f"{v:.6f}" for v in row) for row in table)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@given(
    others=st.lists(st.sampled_from(list(OTHERS)), min_size=1, max_size=3, unique=True),
    vibration=st.sampled_from(["acc", "ch3", "振动", "Beschleunigung", "a_x", "Signal"]),
    place=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_the_vibration_is_chosen(
    tmp_path_factory: pytest.TempPathFactory, others: list[str], vibration: str, place: int
) -> None:
    from faultdiag.datasets.load import channel_names

    order = [*others[:place], vibration, *others[place:]]
    columns = {**OTHERS, vibration: SOUND}
    path = write(tmp_path_factory.getbasetemp() / "choice.csv", columns, order)
    assert choose_channel([path], channel_names(path)).channels == (vibration,)


def folders(root: Path, columns: dict[str, np.ndarray]) -> Path:
    for label in ("normal", "inner"):
        (root / label).mkdir(parents=True)
        write(root / label / "1.csv", columns, list(columns))
    return root


def test_two_that_are_plausible_are_a_question(tmp_path: Path) -> None:
    root = folders(tmp_path / "rig", {"one": SOUND, "two": SOUND[::-1], "rpm": OTHERS["rpm"]})
    out = tmp_path / "a.yaml"
    asked = run("init", "--from", root, "--sampling-rate", "12800", "--out", out)
    refused(asked, "2 channels look like vibration: one, two (left out: rpm is nearly constant")
    assert "--channel 'one', or several: --channel 'one,two'" in asked.stderr
    done("init", "--from", root, "--sampling-rate", "12800", "--out", out, "--channel", "two")
    assert "channels: [two]" in out.read_text()


def test_none_that_is_plausible_is_a_question(tmp_path: Path) -> None:
    root = folders(tmp_path / "rig", {"rpm": OTHERS["rpm"], "temp": OTHERS["温度"]})
    with pytest.raises(
        FaultdiagError, match=r"no channel of 1\.csv looks like a vibration: rpm is"
    ):
        guess_config(root, sampling_rate=12_800)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    columns = {"rpm": OTHERS["rpm"], "acc": SOUND, "tacho": OTHERS["tacho"]}
    guess = guess_config(folders(tmp_path / "rig", columns), sampling_rate=12_800)
    assert (
        "data.channels = [acc]: it varies like a vibration; left out: rpm is nearly constant"
        in (guess.explanation)
    )
    assert "tacho is a train of 19 pulses" in guess.explanation
