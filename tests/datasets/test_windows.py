"""Windows that somebody else cut: recognised, and split only where the leak is accepted."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.api.train import train
from faultdiag.config.schema import parse_config
from faultdiag.datasets.load import load_entry
from faultdiag.datasets.windows import LEAK, Windows, class_names
from faultdiag.errors import FaultdiagError
from faultdiag.guess.guessing import guess_config
from faultdiag.preparing.prepare import prepare
from faultdiag.readers.read import read_recording
from faultdiag.system import files
from tests.readers.samples import mat

COUNT, LENGTH = 90, 256
RNG = np.random.default_rng(0)
X = RNG.standard_normal((COUNT, LENGTH)).astype(np.float32)
Y = np.arange(COUNT) % 3
X += np.sin(np.arange(LENGTH) * 0.3 * (1 + Y[:, None])).astype(np.float32)
NAMED = np.array(["inner", "normal", "outer"])[Y]


def save(folder: Path, suffix: str, names: tuple[str, str], x: Any, y: Any) -> Path:
    """Write windows and labels; return the file to name."""
    path = folder / f"w{suffix}"
    if suffix == ".npz":
        np.savez(path, **{names[0]: x, names[1]: y})
    elif suffix == ".mat":
        path.write_bytes(
            mat({names[0]: x, names[1]: y.astype(object) if y.dtype.kind == "U" else y})
        )
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file[names[0]], file[names[1]] = x, y.astype("S") if y.dtype.kind == "U" else y
    else:
        np.save(folder / f"{names[1]}.npy", y)
        path = folder / f"{names[0]}.npy"
        np.save(path, x)
    return path


@given(
    suffix=st.sampled_from([".npz", ".mat", ".h5", ".npy"]),
    names=st.sampled_from(
        [("X", "y"), ("data", "label"), ("x_train", "y_train"), ("sig", "targets")]
    ),
    shape=st.sampled_from(["(n, L)", "(n, L, 2)", "(n, 2, L)", "(L, n)"]),
    labels=st.sampled_from(["whole", "floats", "upright", "texts", "one hot"]),
)
@settings(max_examples=40)
def test_every_window_with_its_label(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    names: tuple[str, str],
    shape: str,
    labels: str,
) -> None:
    x = {
        "(n, L)": X,
        "(n, L, 2)": np.stack([X, -X], axis=2),
        "(n, 2, L)": np.stack([X, -X], axis=1),
        "(L, n)": X.T,
    }[shape]
    y = {
        "whole": Y,
        "floats": Y.astype(float),
        "upright": Y[:, None],
        "texts": NAMED,
        "one hot": np.eye(3)[Y],
    }[labels]
    folder = tmp_path_factory.mktemp("windows")
    dataset = Windows(save(folder, suffix, names, x, y), recorded_at=12_000)
    entries = dataset.entries({}).entries
    assert [e.name for e in entries] == (
        sorted(set(NAMED)) if labels == "texts" else ["0", "1", "2"]
    )
    for place, entry in enumerate(entries):
        recording = load_entry(entry, ["ch1"])
        assert recording.sampling_rate == 12_000
        np.testing.assert_array_equal(recording.signal[0], X[place == Y].ravel())
    assert dataset.channels == (("ch1", "ch2") if "2" in shape else ("ch1",))


def config(path: Path, prepared: Path, **changes: Any) -> Any:
    document = files.parse(guess_config(path, sampling_rate=12_000).yaml, "a guess")
    document["data"]["prepared"] = str(prepared)
    document["train"] = {"epochs": 1, "batch_size": 16}
    document["model"] = {"name": "cnn1d"}
    for section, values in changes.items():
        document[section] = {**document[section], **values}
    return parse_config(document, "a guess")


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_init_to_a_training_that_says_the_leak(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, suffix, ("X", "y"), X, NAMED)
    train(config(path, tmp_path / "prepared"), run=tmp_path / "run", device="cpu")
    metrics = files.parse((tmp_path / "run" / "metrics.json").read_text(), "metrics")
    assert LEAK in metrics["split"]["notes"]
    assert metrics["split"]["strategy"] == "random_windows"
    assert metrics["test"]["confusion"]["labels"] == ["inner", "normal", "outer"]
    total = sum(metrics["split"]["disjoint_windows"].values())
    assert total == COUNT


def test_other_splits_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, ".npz", ("X", "y"), X, Y)
    for strategy in ("within_recording", "across_recordings"):
        options = {"test": ["0"]} if strategy.startswith("across") else {}
        with pytest.raises(
            FaultdiagError, match=rf"split\.strategy {strategy} can't split .*w\.npz"
        ):
            prepare(config(path, tmp_path / "p", split={"strategy": strategy, **options}))


def test_windows_are_not_cut_in_another_way(tmp_path: Path) -> None:
    path = save(tmp_path, ".npz", ("X", "y"), X, Y)
    with pytest.raises(
        FaultdiagError, match=r"windows of 256 samples, .* {length: 256, stride: 256}"
    ):
        prepare(config(path, tmp_path / "p", window={"length": 32, "stride": 32}))
    with pytest.raises(FaultdiagError, match="can't be resampled; write the same"):
        prepare(config(path, tmp_path / "p", data={"sampling_rate": 6000}))


def test_groups_allow_a_split_across_them(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, X=X, y=Y, rig=np.arange(COUNT) // 3 % 4)
    prepared = prepare(
        config(
            path,
            tmp_path / "p",
            data={"groups": "rig", "labels": "y"},
            split={"strategy": "across", "fact": "group", "test": ["3"]},
        )
    )
    assert {r.facts["group"] for r in prepared.recordings} == {"0", "1", "2", "3"}


def test_several_sets_of_windows_are_a_question(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, x_train=X, y_train=Y, x_test=X[:30], y_test=Y[:30])
    with pytest.raises(
        FaultdiagError, match=r"2 sets of windows: x_train \(90 × 256\) with y_train"
    ):
        guess_config(path, sampling_rate=12_000)
    found = Windows(path, windows="x_test", recorded_at=12_000).entries({}).entries
    assert sum(e.facts["windows"] for e in found) == 30


@pytest.mark.parametrize(
    ("values", "said"),
    [(np.arange(5), "5 labels are there for 90"), (np.full(90, 0.5), "are broken numbers")],
)
def test_labels_that_are_none(values: Any, said: str) -> None:
    with pytest.raises(FaultdiagError, match=said):
        class_names(values, 90)


def test_no_windows(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros(500), fs=12_000)
    with pytest.raises(FaultdiagError, match=r"holds no windows \(n, length\)"):
        Windows(path).entries({})
    with pytest.raises(FaultdiagError, match="does not exist; name the file of the windows"):
        Windows(tmp_path / "no.npz").entries({})


@pytest.mark.parametrize("kind", ["one hot", "struct", "texts"])
def test_a_label_is_never_a_signal(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.mat"
    labels = {"one hot": np.eye(3)[Y], "struct": Y, "texts": NAMED.astype(object)}[kind]
    inside = {"data": X, "label": labels}
    path.write_bytes(mat({"rig": inside} if kind == "struct" else inside))
    with pytest.raises(FaultdiagError, match=r"holds 90 windows of 256 samples .* with a label"):
        read_recording(path)
    entries = Windows(path, recorded_at=12_000).entries({}).entries
    assert sum(entry.facts["windows"] for entry in entries) == COUNT


def never_written(root: h5py.File) -> None:
    root.create_dataset("x", (10**6, 1000), "f4", chunks=(1000, 1000), compression="gzip")


def in_another_file(root: h5py.File) -> None:
    root.create_dataset("x", (1000, 100), "f4", external=[("/dev/zero", 0, 400_000)])


def linked(root: h5py.File) -> None:
    root["x"] = h5py.ExternalLink("/dev/zero", "x")


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (never_written, "x would unpack from 0 bytes to 4000000000"),
        (in_another_file, "the samples of x lie in another file"),
        (linked, "holds no windows"),
    ],
)
def test_windows_come_from_the_file_and_justify_their_size(
    tmp_path: Path, fill: Any, words: str
) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as root:
        fill(root)
        root["y"] = np.arange(10**6 if fill is never_written else 1000) % 2
    with pytest.raises(FaultdiagError, match=words):
        _ = Windows(path, windows="x", labels="y").windows


@pytest.mark.parametrize("link", ["soft", "hard", "chain", "relative"])
def test_a_stated_name_may_be_a_second_link(tmp_path: Path, link: str) -> None:
    """The windows, labels and groups are read by any of their names in the file."""
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as root:
        root["X"], root["y"], root["g"] = X, Y, Y // 2
        for name, other in (("A", "X"), ("kind", "y"), ("rig/of", "g")):
            root[f"inside/{name}"] = root[other]
            root[name] = {
                "soft": h5py.SoftLink(f"/{other}"),
                "hard": root[other],
                "chain": h5py.SoftLink(f"/inside/{name}"),
                "relative": h5py.SoftLink(f"inside/./{name}"),
            }[link if "/" not in name else "chain"]
    linked = Windows(path, windows="A", labels="kind", groups="rig/of", recorded_at=12_000)
    plain = Windows(path, windows="X", labels="y", groups="g", recorded_at=12_000)
    assert (linked.pair.windows, linked.pair.labels) == ("A", "kind")
    assert np.array_equal(linked.windows[:, 0], X)
    facts = [entry.facts for entry in linked.entries({}).entries]
    assert facts == [entry.facts for entry in plain.entries({}).entries]


@pytest.mark.parametrize("target", ["/x", "/out/x", "/nothing", "/y/x"])
def test_a_link_that_leads_to_nothing_in_the_file(tmp_path: Path, target: str) -> None:
    path, other = tmp_path / "w.h5", tmp_path / "other.h5"
    for place in (path, other):
        with h5py.File(place, "w") as root:
            root["X" if place == path else "x"], root["y"] = X, Y
    with h5py.File(path, "a") as root:
        root["out"] = h5py.ExternalLink(str(other), "/")
        root["x"] = h5py.SoftLink(target)
    with pytest.raises(FaultdiagError, match="holds no windows"):
        _ = Windows(path, windows="x", labels="y").windows


def test_packed_windows_justify_their_size(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez_compressed(path, x=np.zeros((20_000, 1000)), y=np.arange(20_000) % 2)
    with pytest.raises(FaultdiagError, match="x would unpack from"):
        _ = Windows(path, windows="x", labels="y").windows
