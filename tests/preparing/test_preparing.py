"""From config to prepared folder: never twice, never half, never with an eye on the test part."""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.api.check import prepare_config
from faultdiag.config.schema import parse_config
from faultdiag.datasets.base import Entry, sha256
from faultdiag.datasets.load import load_entry
from faultdiag.errors import FaultdiagError
from faultdiag.preparing import prepare as signals_file
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import own_preparation, prepare
from faultdiag.preparing.recordings import label_entries
from faultdiag.system.locks import HeldError, own
from tests.data_fixtures import (
    CASES,
    SAMPLES,
    contents,
    full_disk,
    signal,
    tiny,
    tiny_config,
    write_mat,
    write_recording,
    write_recordings,
)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Recordings that a test may change."""
    return write_recordings(tmp_path / "mine")


def stamp(prepared: Prepared) -> dict[str, tuple[int, int]]:
    files = prepared.folder.iterdir()
    return {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in files}


def test_what_the_folder_says(recordings: Path, prepared_root: Path) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root))
    assert {p.name for p in prepared.folder.iterdir()} == {
        "signals.npy",
        "windows.npz",
        "prepared.json",
    }
    assert prepared.classes == ("B", "IR", "N")
    assert prepared.sampling_rate == 12_000
    assert [(r.name, r.label, r.samples, r.recorded_at) for r in prepared.recordings] == [
        ("97", "N", 15_000, 48_000),
        ("105", "IR", 30_000, 12_000),
        ("118", "B", 30_000, 12_000),
    ]
    for row in prepared.recordings:
        assert row.sha256 == sha256(recordings / f"{row.name}.mat")
        assert row.source == str(recordings / f"{row.name}.mat")
        assert row.rpm == 1797
        assert row.facts["number"] == int(row.name)
    assert prepared.notes == ["resampled from 48000 Hz to 12000 Hz: 97"]
    assert prepared.document["window"] == {
        "length": 256,
        "stride": 128,
        "per_class": None,
        "test_stride": 256,
    }
    assert prepared.document["split"]["strategy"] == "within_recording"
    assert prepared.document["split"]["seed"] is None
    assert prepared.document["missing"] == []
    labels = {r.name: prepared.classes.index(r.label) for r in prepared.recordings}
    windows = prepared.windows
    names = [prepared.recordings[number].name for number in windows.recording]
    assert [labels[name] for name in names] == windows.label.tolist()


def test_a_resampled_recording_keeps_its_sine(recordings: Path, prepared_root: Path) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root))
    row = prepared.recordings[0]
    x = np.asarray(prepared.signals[row.offset : row.offset + row.samples])
    spectrum = np.abs(np.fft.rfft(x))
    assert np.argmax(spectrum) * 12_000 / len(x) == pytest.approx(500, abs=0.5)


def test_upsampling_is_told_with_what_it_lacks(recordings: Path, tmp_path: Path) -> None:
    prepared = prepare(tiny_config(recordings, tmp_path, data__sampling_rate=24_000))
    assert prepared.notes == [
        "resampled from 12000 Hz to 24000 Hz, so empty above 6000 Hz: 105, 118",
        "resampled from 48000 Hz to 24000 Hz: 97",
    ]
    assert [r.samples for r in prepared.recordings] == [30_000, 60_000, 60_000]


def test_selected_recordings_that_are_not_there_are_told(recordings: Path, tmp_path: Path) -> None:
    select = {
        "group": ["normal", "12k_DE"],
        "load_hp": [0, 1],
        "size": [None, "007"],
        "clock": [None],
    }
    prepared = prepare(tiny_config(recordings, tmp_path, data__select=select))
    assert prepared.document["missing"] == [
        "98 (normal, 1 hp)",
        "106 (12k_DE, IR007, 1 hp)",
        "119 (12k_DE, B007, 1 hp)",
    ]
    assert prepared.notes[0] == (
        "3 of the 6 recordings selected are not in the folder: "
        "98 (normal, 1 hp), 106 (12k_DE, IR007, 1 hp), 119 (12k_DE, B007, 1 hp)"
    )
    many = prepare(tiny_config(recordings, tmp_path, data__select={"group": ["normal", "12k_DE"]}))
    assert many.notes[0].startswith("61 of the 64 recordings selected are not in the folder: 98 ")
    assert many.notes[0].endswith(" and 56 more")


def test_nothing_is_prepared_twice(mine: Path, tmp_path: Path) -> None:
    first = prepare(tiny_config(mine, tmp_path / "prepared"))
    before = stamp(first)
    second = prepare(tiny_config(mine, tmp_path / "prepared"))
    assert second.folder == first.folder
    assert stamp(second) == before


SAME: dict[str, dict[str, Any]] = {
    "train": {"train__epochs": 9, "train__learning_rate": 0.5},
    "model": {"model__widths": [16]},
    "seed of a split that draws nothing": {"seed": 5},
    "test stride spelled out": {"window__test_stride": 256},
    "healthy": {"data__healthy": ["B"]},
}
OTHER: dict[str, dict[str, Any]] = {
    "stride": {"window__stride": 64},
    "length": {"window__length": 300},
    "gap": {"split__gap": 1000},
    "fractions": {"split__fractions": [0.6, 0.2, 0.2]},
    "normalize": {"normalize": "channel_zscore"},
    "channel": {"data__channels": ["FE"]},
    "rate": {"data__sampling_rate": 6000},
    "label": {"data__label": "{fault}"},
    "fewer recordings": {"data__select": {"number": [97, 105]}},
    "strategy": {"split__strategy": "random_windows"},
}


@pytest.fixture(scope="module")
def reference(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tiny_config(recordings, tmp_path_factory.mktemp("reference")))


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME)
def test_settings_that_change_nothing_share_the_folder(
    changes: dict[str, Any], reference: Prepared, recordings: Path
) -> None:
    before = stamp(reference)
    again = prepare(tiny_config(recordings, reference.folder.parent, **changes))
    assert again.folder == reference.folder
    assert stamp(again) == before


@pytest.mark.parametrize("changes", OTHER.values(), ids=OTHER)
def test_settings_that_change_the_result_get_a_folder_of_their_own(
    changes: dict[str, Any], reference: Prepared, recordings: Path
) -> None:
    other = prepare(tiny_config(recordings, reference.folder.parent, **changes))
    assert other.folder != reference.folder


def test_the_seed_of_a_split_that_draws(recordings: Path, tmp_path: Path) -> None:
    first, again, other = (
        prepare(tiny_config(recordings, tmp_path, seed=seed, split__strategy="random_windows"))
        for seed in (1, 1, 2)
    )
    assert first.folder == again.folder != other.folder
    assert first.document["split"]["seed"] == 1
    assert first.document["split"]["parts"] != other.document["split"]["parts"]


def test_changed_bytes_get_a_folder_of_their_own(mine: Path, tmp_path: Path) -> None:
    config = tiny_config(mine, tmp_path / "prepared")
    first = prepare(config)
    write_recording(mine / "118.mat", 118, seed=1)
    second = prepare(config)
    assert second.folder != first.folder
    assert not np.array_equal(first.signals, second.signals)


def test_moved_recordings_are_not_prepared_again(mine: Path, tmp_path: Path) -> None:
    first = prepare(tiny_config(mine, tmp_path / "prepared"))
    before = stamp(first)
    moved = Path(shutil.move(mine, tmp_path / "moved"))
    second = prepare(tiny_config(moved, tmp_path / "prepared"))
    assert stamp(second) == before
    assert second.recordings[0].source == str(moved / "97.mat")


def test_nothing_is_written_among_the_recordings(mine: Path, tmp_path: Path) -> None:
    before = contents(mine)
    prepare(tiny_config(mine, tmp_path / "prepared"))
    assert contents(mine) == before


def test_the_place_is_data_prepared_under_the_current_folder(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tiny(mine, tmp_path)
    del settings["data"]["prepared"]
    prepared = prepare(parse_config(settings))
    assert prepared.folder.parent == Path("data/prepared")
    assert (tmp_path / prepared.folder / "prepared.json").is_file()


def test_a_recording_that_is_broken_leaves_nothing(mine: Path, tmp_path: Path) -> None:
    x = signal(3500, 12_000, SAMPLES[118], 0)
    x[12_345] = np.nan
    write_mat(mine / "118.mat", 118, DE=x)
    place = tmp_path / "prepared"
    with pytest.raises(
        FaultdiagError, match=r"118\.mat: 1 of 30000 samples are NaN .* first at sample 12345"
    ):
        prepare(tiny_config(mine, place))
    assert list(place.iterdir()) == []
    write_recording(mine / "118.mat", 118)
    assert prepare(tiny_config(mine, place)).classes == ("B", "IR", "N")


@pytest.mark.parametrize(
    ("name", "size", "changes"),
    [
        ("signals.npy", 200_000, {}),
        ("windows.npz", 400_000, {"window__stride": 1}),
        (
            "prepared.json",
            310_000,
            {"window__stride": 4, "split__strategy": "random_windows"},
        ),
    ],
)
def test_a_full_disk_leaves_nothing(
    name: str, size: int, changes: dict[str, Any], recordings: Path, tmp_path: Path
) -> None:
    config = tiny_config(recordings, tmp_path / "prepared", **changes)
    with (
        full_disk(size),
        pytest.raises(FaultdiagError, match=r"cannot write the prepared folder .* choose"),
    ):
        prepare(config)
    assert list((tmp_path / "prepared").iterdir()) == []
    files = {path.name: path.stat().st_size for path in prepare(config).folder.iterdir()}
    order = ("signals.npy", "windows.npz", "prepared.json")
    assert next(file for file in order if files[file] > size) == name, "it filled up there"


def test_an_interrupt_leaves_nothing(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Entry] = []

    def interrupted(entry: Entry, channels: Any) -> Any:
        if len(read) == 2:
            raise KeyboardInterrupt
        read.append(entry)
        return load_entry(entry, channels)

    monkeypatch.setattr(signals_file, "load_entry", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(tiny_config(recordings, tmp_path / "prepared"))
    assert len(read) == 2
    assert list((tmp_path / "prepared").iterdir()) == []


@pytest.mark.parametrize("name", ["channel_zscore", "column_zscore"])
def test_a_normaliser_never_sees_the_validation_or_test_part(
    name: str, mine: Path, tmp_path: Path
) -> None:
    # Of the 30,000 samples the first 20,641 are training.
    changes = {"normalize": name, "data__select": {"number": [105, 118]}}
    config = tiny_config(mine, tmp_path / "prepared", **changes)
    honest = prepare(config)
    segment = honest.segments("train")[0]
    x = signal(1500, 12_000, SAMPLES[105], 105)
    x[segment.stop :] *= 1000
    write_mat(mine / "105.mat", 105, DE=x)
    poisoned = prepare(config)
    assert poisoned.folder != honest.folder
    assert poisoned.normalize["state"] == honest.normalize["state"]
    x[segment.start : segment.stop] *= 1000
    write_mat(mine / "105.mat", 105, DE=x)
    assert prepare(config).normalize["state"] != honest.normalize["state"]


def test_a_recording_too_short_for_every_part(mine: Path, tmp_path: Path) -> None:
    write_recording(mine / "105.mat", 105, samples=2_000)
    place = tmp_path / "prepared"
    with pytest.raises(
        FaultdiagError,
        match=r"within_recording needs 3072 samples a recording .*; 105 has 2000; leave",
    ):
        prepare(tiny_config(mine, place))
    assert list(place.iterdir()) == []


def test_a_part_without_a_class(recordings: Path, tmp_path: Path) -> None:
    config = tiny_config(recordings, tmp_path, window__stride=None, window__per_class=1)
    with pytest.raises(
        FaultdiagError,
        match=r"every class needs a window in every part, but valid has no window of B; valid has "
        r"no window of IR; valid has no window of N; use longer",
    ):
        prepare(config)
    assert list(tmp_path.iterdir()) == []


def entries(*facts: dict[str, Any]) -> list[Entry]:
    return [Entry(Path(f"{i}.mat"), row, None, None, str(i)) for i, row in enumerate(facts)]


def test_labels_are_patterns_of_facts() -> None:
    rows = entries({"code": "IR", "size": "007", "load": 1}, {"code": "N", "size": None, "load": 0})
    assert label_entries(rows, "{code}{size}") == ["IR007", "N"]
    assert label_entries(rows, "load {load:02d}") == ["load 01", "load 00"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{cod}", r"data\.label '\{cod\}' names the fact 'cod' \(did you mean 'code'\?\); "
         r"0\.mat has: code, size, load"),
        ("same", r"data\.label 'same' gives 2 recordings the one class 'same'; two or more "
         r"are needed: widen data\.select or change data\.label"),
        ("{size}", r"data\.label '\{size\}' gives 1\.mat an empty class"),
        ("{code", r"data\.label is '\{code' \(.*\); write facts in braces, as in "
         r"'\{code\}\{size\}'"),
        ("{}", r"data\.label is '\{\}' \(.*\); write facts in braces"),
        ("{load.x}", r"data\.label is '\{load\.x\}' \(.*\); write facts in braces"),
        ("{load[0]}", r"data\.label is '\{load\[0\]\}' \(.*\); write facts in braces"),
        ("{code:d}", r"data\.label is '\{code:d\}' \(.*\); write facts in braces"),
    ],
)  # fmt: skip
def test_labels_that_make_no_classes(pattern: str, message: str) -> None:
    rows = entries({"code": "IR", "size": "007", "load": 1}, {"code": "N", "size": None, "load": 0})
    with pytest.raises(FaultdiagError, match=message):
        label_entries(rows, pattern)


def test_no_recording_at_all(tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match="nowhere does not exist"):
        prepare(tiny_config(tmp_path / "nowhere", tmp_path))
    write_recording(tmp_path / "105.mat", 105)
    with pytest.raises(FaultdiagError, match=r"gives 1 recording the one class 'IR'"):
        prepare(tiny_config(tmp_path, tmp_path / "prepared"))
    assert set(CASES) == {97, 105, 118}
    assert not (tmp_path / "prepared").exists()


def test_the_document_is_plain_json(reference: Prepared) -> None:
    text = (reference.folder / "prepared.json").read_text()
    assert json.loads(text) == reference.document
    assert str(reference.document["identity"]).startswith(reference.folder.name)


def test_signals_that_stand_twice_are_found_as_they_were_recorded(
    mine: Path, tmp_path: Path
) -> None:
    x = signal(1500, 48_000, 60_000, 1)
    write_mat(mine / "97.mat", 97, DE=x)
    # At 12 kHz no sample of this excerpt is one of the whole: it begins between two of them.
    write_mat(mine / "105.mat", 105, DE=-0.5 * x[20_001:50_001])
    prepared = prepare(tiny_config(mine, tmp_path / "prepared"))
    [row] = prepared.duplicates
    assert (row.recordings, row.start, row.samples) == ((0, 1), (20_001, 0), 30_000)
    assert row.scale == pytest.approx(-0.5)
    [duplicate] = prepared.sharing.duplicates
    assert duplicate["recordings"] == ["97", "105"]
    assert duplicate["channels"] == ["DE", "DE"]
    # The test part of the excerpt is trained on or validated on as part of the whole, whose own
    # test part begins after the excerpt's end.
    assert duplicate["leak"]
    assert duplicate["parts"] == [["train", "valid"], ["train", "valid", "test"]]
    assert prepared.sharing.leak == "samples"
    assert prepared.sharing.leak_by_class == {"B": "recording", "IR": "samples", "N": "recording"}
    assert Prepared(prepared.folder).duplicates == prepared.duplicates


def test_what_is_shorter_than_a_window_is_no_duplicate(mine: Path, tmp_path: Path) -> None:
    x, y = signal(1500, 12_000, 30_000, 1), signal(3500, 12_000, 30_000, 2)
    y[:3000] = x[5000:8000]
    write_mat(mine / "105.mat", 105, DE=x)
    write_mat(mine / "118.mat", 118, DE=y)
    place = tmp_path / "prepared"
    assert len(prepare(tiny_config(mine, place, window__length=1000)).duplicates) == 1
    changes = {"window__length": 3001, "split__fractions": [0.4, 0.3, 0.3], "split__gap": 0}
    longer = prepare(tiny_config(mine, place, data__select={"number": [105, 118]}, **changes))
    assert longer.duplicates == []


def test_a_damaged_folder_is_set_aside_and_prepared_again(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(recordings, tmp_path / "prepared")
    before = prepare(config)
    good = contents(before.folder)
    with (before.folder / "signals.npy").open("r+b") as file:
        file.seek(4000)
        file.write(bytes(400))
    again = prepare(config)
    output = capsys.readouterr().err
    assert f"warning: {before.folder} is a damaged prepared folder (signals.npy was chang" in output
    assert f"it was moved to {before.folder}.damaged, and is prepared again" in output
    assert again.folder == before.folder
    same = contents(again.folder)
    assert {name: same[name] for name in ("signals.npy", "windows.npz")} == {
        name: good[name] for name in ("signals.npy", "windows.npz")
    }
    assert (tmp_path / "prepared" / f"{before.folder.name}.damaged" / "signals.npy").exists()


def test_what_killed_processes_left_goes_at_the_next_start(
    recordings: Path, tmp_path: Path
) -> None:
    root = tmp_path / "prepared"
    config = tiny_config(recordings, root)
    for name in (".0123456789abcdef.writing", ".fedcba9876543210.writing", "mine", ".mine"):
        (root / name).mkdir(parents=True)
        (root / name / "signals.npy").write_text("half")
    with own(root, root / ".fedcba9876543210.lock", ""):
        folder = prepare(config).folder
    assert sorted(path.name for path in root.iterdir()) == sorted(
        [".fedcba9876543210.writing", ".mine", folder.name, "mine"]
    )
    prepare(config)
    assert sorted(path.name for path in root.iterdir()) == [".mine", folder.name, "mine"]


def test_of_two_commands_that_prepare_the_same_the_second_changes_nothing(
    recordings: Path, tmp_path: Path
) -> None:
    config = tiny_config(recordings, tmp_path / "prepared")
    with own_preparation(config):
        before = contents(tmp_path)
        with pytest.raises(HeldError, match=r"prepared is being written by .*data\.prepared$"):
            prepare_config(config)
        assert contents(tmp_path) == before
    assert "prepared in" in prepare_config(config)


def test_two_trainings_prepare_the_same_once(
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tiny_config(recordings, tmp_path / "prepared")
    real, written = signals_file.write_signals, []

    def slowly(*arguments: Any) -> Any:
        written.append(1)
        time.sleep(0.7)
        return real(*arguments)

    monkeypatch.setattr(signals_file, "write_signals", slowly)
    threads = [threading.Thread(target=prepare, args=(config,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [1]
    assert "waiting for `" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == [
        prepare(config).folder.name
    ]
