"""Preparing says which channels look like no vibration."""

from pathlib import Path

import numpy as np

from faultdiag.config.schema import parse_config
from faultdiag.preparing.prepare import prepare


def test_a_speed_that_is_trained_on_is_named(tmp_path: Path) -> None:
    for i, label in enumerate(("normal", "inner")):
        (tmp_path / "rig" / label).mkdir(parents=True)
        x = np.random.default_rng(i).standard_normal((2, 20_000))
        np.savez(tmp_path / "rig" / label / "1.npz", rpm=1480 + x[0], acc=x[1], fs=12_000)
    data = {
        "dataset": "folder",
        "root": str(tmp_path / "rig"),
        "prepared": str(tmp_path / "p"),
        "sampling_rate": 12_000.0,
    }
    window = {"length": 512, "stride": 512}
    bad = prepare(parse_config({"data": {**data, "channels": ["rpm"]}, "window": window}))
    assert any(
        "channel rpm is nearly constant" in note and "doesn't look like a vibration" in note
        for note in bad.notes
    )
    good = prepare(parse_config({"data": {**data, "channels": ["acc"]}, "window": window}))
    assert not any("vibration" in note for note in good.notes)


def test_a_band_that_the_content_does_not_fill_is_named(tmp_path: Path) -> None:
    from scipy.signal import resample_poly

    for i, label in enumerate(("normal", "inner")):
        (tmp_path / "rig" / label).mkdir(parents=True)
        x = np.random.default_rng(i).standard_normal(20_000)
        x = resample_poly(x, 4, 1)[:20_000] if label == "inner" else x
        np.savez(tmp_path / "rig" / label / "1.npz", acc=x, fs=12_000)
    data = {"dataset": "folder", "root": str(tmp_path / "rig"), "channels": ["acc"]}
    data |= {"prepared": str(tmp_path / "p"), "sampling_rate": 12_000.0}
    notes = prepare(parse_config({"data": data, "window": {"length": 512, "stride": 512}})).notes
    assert [n for n in notes if "carries nothing above 1700 Hz" in n and "(inner/1)" in n]
