"""`faultdiag init --from`: a folder in, a config out that trains as it is."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.api.train import train
from faultdiag.config.schema import Config, load_config
from faultdiag.errors import FaultdiagError
from faultdiag.guess.guessing import guess_config, write_guess
from faultdiag.preparing.prepare import prepare
from faultdiag.simulation.folder import simulate_folder
from tests.commands import done, refused, run
from tests.data_fixtures import signal

TONES = {"N": 500.0, "IR5": 1500.0, "OR5": 3500.0}
SMALL = ("train.epochs=2", "model={name: cnn1d, widths: [4, 8], kernels: [7]}", "train.threads=1")

pytestmark = pytest.mark.usefixtures("no_figures")


def save(path: Path, **variables: Any) -> Path:
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables)
    return path


def named(root: Path, samples: int = 14_000) -> Path:
    """Files named by class and speed, each with one array under a name of its own."""
    for i, (fault, tone) in enumerate(TONES.items()):
        for j, rpm in enumerate((900, 1200)):
            x = signal(tone, 12_000, samples, 10 * i + j)
            save(root / f"{fault}_{rpm}.mat", **{f"VarName{2 * i + j}": x[:, None]})
    return root


def foldered(root: Path) -> Path:
    for path in named(root / "flat").iterdir():
        target = root / "classes" / path.stem.split("_")[0] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return root / "classes"


def listed(root: Path) -> Path:
    rows = [f"{p.name};{p.stem.split('_')[0]};12000" for p in sorted(named(root).iterdir())]
    (root / "list.csv").write_text("\n".join(["path;label;sampling_rate", *rows]))
    return root


def simulated(root: Path) -> Path:
    simulate_folder(root, seconds=2.1)
    return root


def resolved(root: Path, out: Path, *settings: str, rate: float | None = 12_000) -> Config:
    write_guess(root, out, sampling_rate=rate)
    place = f"data.prepared={out.parent / 'prepared'}"
    return load_config(out, [place, *SMALL, *settings])


@pytest.mark.parametrize(
    ("make", "dataset", "classes"),
    [
        (named, "folder", {"IR5", "N", "OR5"}),
        (foldered, "folder", {"IR5", "N", "OR5"}),
        (listed, "manifest", {"IR5", "N", "OR5"}),
        (simulated, "synthetic", 10),
    ],
)
def test_it_trains_without_editing(
    make: Callable[[Path], Path], dataset: str, classes: Any, tmp_path: Path
) -> None:
    config = resolved(make(tmp_path / "rig"), tmp_path / "my.yaml")
    assert config.data.dataset == dataset
    assert config.data.healthy == ("N",)
    assert config.data.sampling_rate == 12_000
    first = train(config, run=tmp_path / "run", device="cpu")
    prepared = prepare(config)
    assert set(prepared.classes) == classes or len(prepared.classes) == classes
    windows = prepared.windows.of("test").by_recording()
    assert len(windows) == len(prepared.recordings)
    # The run's own config says all there is to say.
    again = train(tmp_path / "run" / "config.yaml", run=tmp_path / "again", device="cpu")
    assert (again.folder / "metrics.json").read_text() == (
        first.folder / "metrics.json"
    ).read_text()


def test_what_it_prints_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named(tmp_path / "rig")
    refused(
        run("init", "--from", "rig"),
        "nothing states the sampling rate of 6 of the 6 recordings looked into: IR5_1200, IR5_900,",
    )
    assert not (tmp_path / "rig.yaml").exists()
    printed = done("init", "--from", "rig", "--sampling-rate", "12000")
    assert printed.endswith(
        "wrote rig.yaml; next: faultdiag check rig.yaml, then faultdiag train rig.yaml\n"
    )
    text = (tmp_path / "rig.yaml").read_text()
    comments = " ".join(re.findall(r"# (.*)", text)).replace("\n", " ")
    for said in (
        "6 recordings of 3 classes in rig.",
        "each file holds one channel under a name of its own (VarName",
        "900, 1200 look like shaft speeds in rpm",
        "the figures say nothing about other bearings or machines",
        "{strategy: across, fact: rpm, test: [1200]}",
    ):
        assert said in printed
        assert said in comments
    config = load_config(tmp_path / "rig.yaml")
    assert config.data.options == {
        "pattern": ["{fault:alpha}{size}_{rpm}", "{fault:alpha}_{rpm}"],
        "recorded_at": 12000,
    }
    refused(run("init", "--from", "rig"), "rig.yaml exists; give another file with --out")
    refused(run("init", "demo", "--from", "rig"), "both the starter demo and --from rig are given")
    refused(run("init", "--sampling-rate", "3"), "name them with --from")
    refused(run("init", "--from", "gone"), "gone does not exist")
    wrong = run("init", "--from", "rig", "--out", "x.yaml", "--sampling-rate", "0")
    refused(wrong, "--sampling-rate is 0; give a positive number of Hz")


def test_the_lowest_rate_of_several_is_taken(tmp_path: Path) -> None:
    for name, rate in (("N", 20_000), ("inner", 10_000)):
        x = signal(500, rate, 30_000, 1)
        save(tmp_path / "rig" / f"{name}.mat", Data=x[:, None], SampleFrequency=float(rate))
    guess = guess_config(tmp_path / "rig")
    assert "the lowest of 10000 Hz (1), 20000 Hz (1), to which the others are" in guess.explanation
    config = resolved(tmp_path / "rig", tmp_path / "my.yaml", rate=None)
    assert (config.data.sampling_rate, config.data.channels) == (10_000, ("Data",))
    assert config.window.length == 512  # the recording at 20 kHz has 15,000 samples then


def test_a_dead_channel_is_passed_over_and_a_broken_file_left_out(tmp_path: Path) -> None:
    root = tmp_path / "rig"
    for i, name in enumerate(("N_1", "N_2", "IR_1", "IR_2", "IR_3")):
        x = signal(500 + 900 * i, 12_000, 14_000, i)
        save(root / f"{name}.mat", dead=np.zeros(14_000), live=x)
    (root / "IR_3.mat").write_bytes((root / "IR_3.mat").read_bytes()[:5000])
    config = resolved(root, tmp_path / "my.yaml")
    assert config.data.channels == ("live",)
    assert config.data.options["exclude"] == ["IR_3.mat"]
    assert "IR_3.mat" in (tmp_path / "my.yaml").read_text().replace("\n  # ", " ")
    assert [r.name for r in prepare(config).recordings] == ["IR_1", "IR_2", "N_1", "N_2"]


def test_channels_that_nothing_joins(tmp_path: Path) -> None:
    for i, name in enumerate(("N", "IR")):
        x = signal(500, 12_000, 14_000, i)
        save(tmp_path / f"{name}.mat", **{f"a{i}": x, f"b{i}": x})
    with pytest.raises(FaultdiagError, match=r"no channel in common: a1, b1; a0, b0; list them in"):
        guess_config(tmp_path, sampling_rate=12_000)


def test_one_class_only(tmp_path: Path) -> None:
    for i in (1, 2):
        save(tmp_path / f"N_{i}.mat", x=signal(500, 12_000, 14_000, i))
    with pytest.raises(FaultdiagError, match="gives 2 recordings the one class 'N'; two or m"):
        guess_config(tmp_path, sampling_rate=12_000)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "classes", "rate"), [("uestc", 4, 20_000), ("mfpt", 2, 48_828), ("cwru", 10, 12_000)]
)
def test_real_sets_are_recognised_and_train(
    name: str, classes: int, rate: float, real_data: Path, tmp_path: Path
) -> None:
    sparse = ("window.stride=null", "window.per_class=40")
    config = resolved(real_data / name, tmp_path / "my.yaml", *sparse, rate=None)
    assert (config.data.dataset, config.data.sampling_rate) == (name, rate)
    finished = train(config, run=tmp_path / "run", device="cpu")
    assert (finished.folder / "best.pt").is_file()
    assert len(prepare(config).classes) == classes


@pytest.mark.real
def test_real_recordings_under_a_users_own_names(real_data: Path, tmp_path: Path) -> None:
    from scipy.io import loadmat

    for fault, numbers in {"IR5": (105, 107), "B5": (118, 120), "OR5": (130, 132)}.items():
        for number, rpm in zip(numbers, (1800, 1750), strict=True):
            x = loadmat(real_data / "cwru" / "12k_DE" / f"{number}.mat")[f"X{number}_DE_time"]
            save(tmp_path / "rig" / f"{fault}_{rpm}.mat", **{f"VarName{number}": x})
    shutil.copy(real_data / "cwru" / "normal" / "97.mat", tmp_path / "97.mat")
    config = resolved(tmp_path / "rig", tmp_path / "my.yaml")
    prepared = prepare(config)
    assert prepared.classes == ("B5", "IR5", "OR5")
    assert prepared.recordings[0].rpm == 1750
    assert prepared.notes[-1].startswith("no channel is called vibration in 6 recordings, so")
