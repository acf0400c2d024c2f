"""Whatever folder is given, the config guessed passes `check`, or a message says why none can."""

import wave
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.io import savemat

from faultdiag.api.check import check_config
from faultdiag.config.schema import load_config
from faultdiag.errors import FaultdiagError
from faultdiag.guess.guessing import write_guess
from tests.commands import done, refused, run

Signal = NDArray[np.float64]


def write_wav(path: Path, x: Signal, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((x * 3000).astype("<i2").tobytes())


def write_mat(path: Path, x: Signal, rate: int) -> None:
    savemat(path, {"acc": x[:, None], "SampleFrequency": float(rate)})


WRITERS: dict[str, Callable[[Path, Signal, int], None]] = {
    ".npy": lambda path, x, rate: np.save(path, x),
    ".csv": lambda path, x, rate: np.savetxt(path, x, fmt="%.4f"),
    ".npz": lambda path, x, rate: np.savez(path, acc=x, fs=float(rate)),
    ".wav": write_wav,
    ".mat": write_mat,
}


@st.composite
def folders(draw: st.DrawFn) -> dict[str, tuple[str, int, int]]:
    """Names of files, each with how it is written, its samples and its rate."""
    suffixes = draw(st.lists(st.sampled_from(sorted(WRITERS)), min_size=1, max_size=2))
    rates = draw(st.lists(st.sampled_from([8000, 12_000, 25_600]), min_size=1, max_size=2))
    lengths = draw(
        st.lists(st.sampled_from([300, 700, 1500, 5000, 14_000]), min_size=1, max_size=2)
    )
    below = draw(st.sampled_from(["{label}/{i}", "{label}_{i}", "{label}_{i}_900", "x/{label}{i}"]))
    files = {}
    for label in draw(st.sampled_from([("N", "IR"), ("normal", "inner", "outer"), ("a", "b")])):
        for i in range(draw(st.integers(1, 4))):
            name = below.format(label=label, i=i) + draw(st.sampled_from(suffixes))
            files[name] = (name[-4:], draw(st.sampled_from(lengths)), draw(st.sampled_from(rates)))
    if draw(st.booleans()):
        files["97.npy"] = (".npy", 14_000, 12_000)
    if draw(st.booleans()):
        files[below.format(label="N", i=9) + ".npy"] = ("broken", 0, 0)
    return files


def write(root: Path, files: dict[str, tuple[str, int, int]]) -> None:
    for seed, (name, (kind, samples, rate)) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "broken":
            path.write_bytes(b"\x93NUMPY\x01\x00cut off")
        else:
            WRITERS[kind](path, np.random.default_rng(seed).standard_normal(samples), rate)


def require_reason(text: str) -> None:
    """A message is about the folder, not about the config that was guessed from it."""
    assert text
    assert "the config guessed" not in text


def guessed(root: Path, files: dict[str, tuple[str, int, int]]) -> bool:
    """Whether a config was written; it must pass `check` then."""
    write(root / "rig", files)
    out = root / "a.yaml"
    try:
        guess = write_guess(root / "rig", out, sampling_rate=12_000, override_rate=True)
    except FaultdiagError as error:
        require_reason(str(error))
        return False
    text = " ".join(out.read_text().replace("#", " ").split())
    used = check_config(load_config(out, [f"data.prepared={root / 'prepared'}"]))
    assert used.endswith("ready to train")
    for name in files:
        assert f"/{name}" in used or Path(name).name in guess.explanation, f"{name} is gone"
        assert f"/{name}" in used or Path(name).name in text
    return True


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(folders())
def test_the_config_passes_check_or_there_is_a_reason(
    files: dict[str, tuple[str, int, int]],
) -> None:
    with TemporaryDirectory() as folder:
        guessed(Path(folder), files)


def test_recordings_too_short_to_be_cut_are_held_out_whole(tmp_path: Path) -> None:
    files = {f"{c}/r{i}.npy": (".npy", 1200, 0) for c in ("N", "IR") for i in range(10)}
    assert guessed(tmp_path, files)
    text = (tmp_path / "a.yaml").read_text()
    assert "strategy: across_recordings" in text
    assert "valid: across" in text
    assert "length: 1024" in text


def test_too_short_for_any_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "d", {f"{c}/r{i}.npy": (".npy", 1200, 0) for c in "NI" for i in range(2)})
    np.save("d/N/brief.npy", np.random.default_rng(1).standard_normal(300))
    found = run("init", "--from", "d", "--sampling-rate", "12000")
    refused(found, "the shortest recording, N/brief, has 300 samples; 6144 are needed to cut")
    refused(found, "or 512 and 3 recordings of each class to hold out whole ones (I has fewer)")


def test_the_window_says_how_many_turns_it_holds(tmp_path: Path) -> None:
    files = {f"{c}_{i}_900.npy": (".npy", 7000, 0) for c in ("N", "IR") for i in range(2)}
    write(tmp_path / "rig", files)
    explanation = write_guess(
        tmp_path / "rig", tmp_path / "a.yaml", sampling_rate=12_000
    ).explanation
    assert "at 900 rpm a shaft turn is 800 samples: 0.64 turns; shorter, because the" in explanation


def test_a_file_that_is_left_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {f"{c}/r{i}.npy": (".npy", 9000, 0) for c in ("N", "IR") for i in range(2)}
    write(tmp_path / "d", {**files, "97.npy": (".npy", 9000, 0)})
    printed = done("init", "--from", "d", "--sampling-rate", "12000")
    assert "1 of 5 files" in printed
    assert "so left out: 97.npy" in printed
    assert "so left out: 97.npy" in (tmp_path / "d.yaml").read_text()
