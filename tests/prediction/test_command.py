"""`predict` on files and folders: one row each, whatever is wrong with some of them."""

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.datasets import facts
from faultdiag.errors import FaultdiagError
from faultdiag.prediction import ahead, reading
from faultdiag.prediction.diagnose import diagnose_files
from faultdiag.prediction.diagnoser import Diagnoser, load
from faultdiag.prediction.inputs import find
from faultdiag.prediction.predict import PredictionSettings, predict_paths
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.rows import COLUMNS, Row
from faultdiag.readers.read import read_recording
from faultdiag.readers.source import RecordingSource
from faultdiag.system.locks import HeldError
from tests.commands import done
from tests.data_fixtures import CASES, contents, full_disk, signal, write_mat, write_recording
from tests.interrupting import interrupting, never_waiting


@pytest.fixture(scope="module")
def diagnoser(trained: Path) -> Diagnoser:
    return load(trained, device="cpu")


def drive(number: int, samples: int = 6_000, seed: int = 5) -> np.ndarray[Any, np.dtype[Any]]:
    return signal(CASES[number][1], 12_000, samples, seed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings and, third in order, a broken one."""
    root = tmp_path / "new"
    (root / "deep" / "er").mkdir(parents=True)
    write_recording(root / "anything.mat", 105, seed=7)
    write_mat(root / "b.MAT", 1, DE=drive(118), FE=drive(105))
    (root / "c.mat").write_bytes((root / "anything.mat").read_bytes()[:5_000])
    write_mat(root / "deep" / "d.mat", 2, DE=drive(105))
    write_mat(root / "deep" / "er" / "e.mat", 3, DE=drive(118))
    (root / "notes.txt").write_text("no recording")
    (root / "._anything.mat").write_text("left by macOS")
    (root / "a folder.mat").mkdir()
    return root


def find_files(paths: list[Path]) -> list[Path]:
    return [request.path for request in find(paths, ReadRequest(Path()))]


def predict(run: Path, *paths: Path, **options: Any) -> tuple[int, int]:
    return predict_paths(run, paths, PredictionSettings(device="cpu", **options))


def test_files_and_folders_to_their_bottom_in_order(folder: Path) -> None:
    inside = ["anything.mat", "b.MAT", "c.mat", "deep/d.mat", "deep/er/e.mat"]
    assert find_files([folder]) == [folder / name for name in inside]
    file = folder / "b.MAT"
    assert find_files([file, folder / "deep", file]) == [
        folder / name for name in ("b.MAT", "deep/d.mat", "deep/er/e.mat")
    ]
    assert find_files([folder / "notes.txt"]) == [folder / "notes.txt"], "its row says why not"


def test_a_link_that_leads_nowhere_is_not_passed_over(folder: Path) -> None:
    (folder / "deep" / "f.mat").symlink_to(folder / "gone.mat")
    assert folder / "deep" / "f.mat" in find_files([folder])


def test_a_link_in_a_circle_beside_an_out_file(trained: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "loop.mat").symlink_to("loop.mat")
    out = tmp_path / "rows.csv"
    assert predict(trained, folder, out=out) == (6, 2)
    assert "loop.mat is a symbolic link that leads nowhere" in out.read_text()


def test_nothing_to_diagnose(tmp_path: Path) -> None:
    with pytest.raises(
        FaultdiagError, match=r"none does not exist; give recordings or folders of them, a manifest"
    ):
        find_files([tmp_path / "none"])
    (tmp_path / "notes.txt").write_text("of the pump")
    with pytest.raises(
        FaultdiagError, match=r"holds no recording; looked for files that end in: \.mat"
    ):
        find_files([tmp_path])


def test_a_broken_file_costs_no_other_its_diagnosis(diagnoser: Diagnoser, folder: Path) -> None:
    rows = list(diagnose_files(diagnoser, find_files([folder])))
    assert [(Path(row.path).name, row.status, row.label) for row in rows] == [
        ("anything.mat", "ok", "IR"),
        ("b.MAT", "ok", "B"),
        ("c.mat", "error", None),
        ("d.mat", "ok", "IR"),
        ("e.mat", "ok", "B"),
    ]
    broken = rows[2]
    assert broken.error is not None
    assert "c.mat" in broken.error
    assert "\n" not in broken.error
    assert {broken.confidence, broken.windows, broken.probabilities} == {None}
    assert {row.error for row in rows if row.status == "ok"} == {None}


def test_what_stands_in_a_row(diagnoser: Diagnoser, folder: Path) -> None:
    (row,) = diagnose_files(diagnoser, [folder / "anything.mat"])
    assert row.channel == "DE"
    assert row.sampling_rate == 12_000
    assert row.windows == 30_000 // 256
    assert row.novelty is not None
    assert 0 < row.novelty < 1
    assert row.probabilities is not None
    assert list(row.probabilities) == ["B", "IR", "N"]
    assert row.confidence == max(row.probabilities.values())


@pytest.fixture
def known_to_the_catalogue(monkeypatch: pytest.MonkeyPatch, recordings: Path) -> Path:
    """A file whose bytes the catalogue has at 48 kHz."""
    path = recordings / "97.mat"

    def identify(asked: Path) -> Mapping[str, Any] | None:
        return {"sampling_rate": 48_000} if asked.read_bytes() == path.read_bytes() else None

    monkeypatch.setattr(facts, "identify", identify)
    return path


def rate(diagnoser: Diagnoser, path: Path, given: float | None) -> tuple[Any, Any, Any]:
    (row,) = diagnose_files(diagnoser, [path], sampling_rate=given)
    return row.label, row.sampling_rate, row.sampling_rate_source


def test_who_states_the_rate_in_which_order(
    diagnoser: Diagnoser,
    known_to_the_catalogue: Path,
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renamed = Path(shutil.copy(known_to_the_catalogue, tmp_path / "pump 3.mat"))
    # The catalogue knows it by its bytes; an argument that says otherwise is an error.
    assert rate(diagnoser, renamed, None) == ("N", 48_000, "catalogue")
    assert rate(diagnoser, renamed, 48_000) == ("N", 48_000, "catalogue")
    assert one(diagnoser, renamed, sampling_rate=6_000).error == (
        f"{renamed}: --sampling-rate is 6000 Hz; the catalogue says 48000 Hz; leave out what is "
        "wrong, or let your own win with --override-rate"
    )
    # Nobody knows this one: the argument, or else the model's own rate.
    other = Path(shutil.copy(recordings / "118.mat", tmp_path / "fan.mat"))
    assert rate(diagnoser, other, None) == ("B", 12_000, "assumed")
    assert rate(diagnoser, other, 12_000) == ("B", 12_000, "argument")
    assert rate(diagnoser, other, 48_000)[1:] == (48_000, "argument")

    # Its name and variables say that it is a copy of number 118; an argument says more.
    numbered = recordings / "118.mat"
    assert rate(diagnoser, numbered, None) == ("B", 12_000, "catalogue, by name")
    assert rate(diagnoser, numbered, 48_000)[1:] == (48_000, "argument")

    def with_rate(*arguments: Any) -> RecordingSource:
        return replace(source(*arguments), sampling_rate=48_000.0)

    source = reading._open_channels
    monkeypatch.setattr(reading, "_open_channels", with_rate)
    assert rate(diagnoser, renamed, None) == ("N", 48_000, "file")
    assert "--sampling-rate is 6000 Hz; the file says 48000 Hz; leave" in str(
        one(diagnoser, renamed, sampling_rate=6_000).error
    )


def test_a_file_that_states_its_rate(diagnoser: Diagnoser, tmp_path: Path) -> None:
    from scipy.io import savemat

    x = signal(CASES[118][1], 20_000, 40_000, seed=1)
    savemat(tmp_path / "N_1000_1.mat", {"Data": x[:, None], "SampleFrequency": 20_000.0})
    assert rate(diagnoser, tmp_path / "N_1000_1.mat", 20_010) == ("B", 20_000, "file")
    assert rate(diagnoser, tmp_path / "N_1000_1.mat", 5_000) == (None, None, None)


def one(diagnoser: Diagnoser, path: Path, **options: Any) -> Row:
    (row,) = diagnose_files(diagnoser, [path], **options)
    return row


def test_the_channel_asked_for(diagnoser: Diagnoser, folder: Path) -> None:
    both = folder / "b.MAT"
    assert one(diagnoser, both).label == "B"
    fan = one(diagnoser, both, channel="FE")
    assert (fan.label, fan.channel) == ("IR", "FE")
    missing = one(diagnoser, both, channel="BA")
    assert missing.error == f"{both} has no channel 'BA'; it has: DE, FE"
    many = one(diagnoser, both, channel="DE, FE")
    assert many.error is None, "DE is the model's own"
    assert many.channel == "DE"


def test_channels_of_other_names(diagnoser: Diagnoser, tmp_path: Path) -> None:
    from scipy.io import savemat

    alone = tmp_path / "alone.mat"
    savemat(alone, {"vibration": drive(118)[:, None]})
    row = one(diagnoser, alone)
    assert (row.label, row.channel) == ("B", "vibration")
    write_mat(tmp_path / "two.mat", 4, FE=drive(118), BA=drive(105))
    hint = one(diagnoser, tmp_path / "two.mat").error
    assert hint is not None
    assert "has 2 channels (FE, BA), the model was trained on 1 (DE); choose with --channel" in hint
    assert one(diagnoser, tmp_path / "two.mat", channel="BA").label == "IR"


def test_channels_of_a_table_are_taken_by_name(trained: Path, tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "table.mat"
    savemat(path, {"x": np.stack([drive(118), drive(105), drive(118)], axis=1)})
    names = read_recording(path).channels
    assert len(names) == 3
    model = load(trained, device="cpu")
    model.facts = replace(model.facts, channels=(names[1],))
    row = one(model, path)
    assert (row.channel, row.label) == (names[1], "IR")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: drive(105, samples=200), "has 200 samples at 12000 Hz, the model needs 256"),
        (lambda: np.full(5_000, 0.25), "channel DE is constant: all 5000 samples are 0.25"),
        (
            lambda: np.where(np.arange(5_000) == 77, np.nan, drive(105, samples=5_000)),
            "1 of 5000 samples are NaN or infinite, the first at sample 77",
        ),
    ],
    ids=["short", "constant", "NaN"],
)
def test_recordings_that_cannot_be_diagnosed(
    make: Any, message: str, diagnoser: Diagnoser, tmp_path: Path
) -> None:
    path = write_mat(tmp_path / "x.mat", 5, DE=make())
    row = one(diagnoser, path)
    assert row.status == "error"
    assert str(row.error).startswith(str(path))
    assert message in str(row.error)


def test_a_file_of_another_kind(diagnoser: Diagnoser, folder: Path) -> None:
    row = one(diagnoser, folder / "notes.txt")
    assert "notes.txt holds no table of numbers: at least two lines" in str(row.error)


def test_rows_on_stdout_as_csv(
    trained: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(trained, folder) == (5, 1)
    out, err = capsys.readouterr()
    head, *rows = csv.reader(io.StringIO(out))
    assert head == [*COLUMNS, "B", "IR", "N"]
    assert [row[:3] for row in rows] == [
        [str(folder / "anything.mat"), "ok", "IR"],
        [str(folder / "b.MAT"), "ok", "B"],
        [str(folder / "c.mat"), "error", ""],
        [str(folder / "deep/d.mat"), "ok", "IR"],
        [str(folder / "deep/er/e.mat"), "ok", "B"],
    ]
    assert {tuple(row[6:8]) for row in rows} == {("12000", "assumed"), ("", "")}
    # No bar where stderr is no terminal.
    assert err == (
        f"left out of {folder}, as text without a table of numbers: notes.txt\n"
        "warning: nothing states the sampling rate of 4 recordings; the model's, 12000 Hz, was "
        "assumed: if it is another, the diagnosis is wrong; give it with --sampling-rate\n"
    )


def test_rows_in_a_file(trained: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert predict(trained, folder, out=out, as_json=True) == (5, 1)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [list(row) for row in rows] == [[*COLUMNS, "B", "IR", "N"]] * 5
    assert [row["status"] for row in rows] == ["ok", "ok", "error", "ok", "ok"]
    assert {row["sampling_rate_source"] for row in rows} == {"assumed", None}
    assert predict(trained, folder / "b.MAT", out=out) == (1, 0)
    assert len(out.read_text().splitlines()) == 2


def test_rows_appear_as_they_come(
    trained: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = []
    real = reading.read_events

    def watched(*arguments: Any) -> Any:
        seen.append(capsys.readouterr().out.count("\n"))
        return real(*arguments)

    monkeypatch.setattr(ahead, "read_events", watched)
    never_waiting(monkeypatch)
    predict(trained, folder)
    # The heading before the first; each row, the broken one's too, before the next.
    assert seen == [1, 1, 1, 1, 1]
    assert capsys.readouterr().out.count("\n") == 1


def test_an_interrupt_loses_no_finished_row(
    trained: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupting(monkeypatch, "d.mat")
    before = contents(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        predict(trained, folder, out=tmp_path / "rows.csv")
    assert set(contents(tmp_path)) - set(before) == {"rows.csv.partial", "rows.csv.begun"}
    capsys.readouterr()
    with pytest.raises(KeyboardInterrupt):
        predict(trained, folder)
    out = capsys.readouterr().out
    assert out.count("\n") == 4, "what was done is out"
    assert (tmp_path / "rows.csv.partial").read_text() == out


def test_a_full_disk_leaves_no_half_of_a_file(trained: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    out.write_text("of last week")
    before = contents(tmp_path)
    with full_disk(200), pytest.raises(FaultdiagError, match=r"cannot write \S+rows\.csv: "):
        predict(trained, folder, out=out)
    assert contents(tmp_path) == before


def test_a_place_that_is_not_there_is_told_at_once(
    trained: Path, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(FaultdiagError, match=r"cannot write \S+rows\.csv: No such file or dir"):
        predict(trained, folder, out=tmp_path / "none" / "rows.csv")


def test_a_recording_is_never_overwritten(trained: Path, folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(FaultdiagError, match=r"--out \S+b\.MAT is one of the recordings; give an"):
        predict(trained, folder, out=folder / "deep" / ".." / "b.MAT")
    assert contents(folder) == before


@pytest.mark.parametrize("given", [0.0, -12_000.0, float("nan"), float("inf")])
def test_a_rate_that_is_none(given: float, trained: Path, folder: Path) -> None:
    with pytest.raises(
        FaultdiagError, match=f"--sampling-rate is {given:g}; give a positive number of Hz"
    ):
        predict(trained, folder, sampling_rate=given)


def test_on_a_terminal_a_table(
    trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    predict(trained, folder)
    head, rule, *rows = terminal.getvalue().splitlines()
    assert head.split() == [
        *("recording", "diagnosis", "confidence", "%", "agreement", "%", "windows"),
    ]
    assert set(rule) == {"-", " "}
    assert len(rows) == 5
    assert rows[0].split()[:2] == [str(folder / "anything.mat"), "IR"]
    assert "c.mat" in rows[2]


def test_processes_change_no_row(trained: Path, folder: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        assert predict(trained, folder, out=tmp_path / f"{jobs}.csv", jobs=jobs) == (5, 1)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_going_on_needs_a_file(trained: Path, folder: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"--resume continues the rows of --out, which is"):
        predict(trained, folder, resume=True)
    with pytest.raises(FaultdiagError, match=r"--resume: /dev/null is no file, so nothing is kept"):
        predict(trained, folder, resume=True, out=Path("/dev/null"))


def test_going_on_with_another_channel_is_refused(
    trained: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "rows.csv"
    assert predict(trained, folder, out=tmp_path / "whole.csv") == (5, 1)
    with monkeypatch.context() as patch:
        interrupting(patch, "d.mat")
        with pytest.raises(KeyboardInterrupt):
            predict(trained, folder, out=out)
    for changes in ({"channel": "FE"}, {"sampling_rate": 9.0}, {"rpm": 9.0}, {"as_json": True}):
        with pytest.raises(FaultdiagError, match=r"was begun with --\S+ .*, now it is"):
            predict(trained, folder, out=out, resume=True, **changes)
    with pytest.raises(FaultdiagError, match="was begun with the model "):
        predict(trained / "last.pt", folder, out=out, resume=True)
    assert predict(trained, folder, out=out, resume=True) == (5, 1)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_two_predictions_never_share_a_file(
    trained: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second error names who writes the rows, resumed or not, and no byte changes."""
    out, windows = tmp_path / "rows.csv", tmp_path / "windows.csv"
    files = recordings / "97.mat"
    real, refusals = ahead.read_events, []

    def starting_the_second(*arguments: Any) -> Any:
        if not refusals:
            before = {path.name: path.read_bytes() for path in tmp_path.glob("*.csv*")}
            for how in ({"out": out}, {"out": out, "resume": True}, {"out": windows}):
                with pytest.raises(HeldError) as error:
                    predict(trained, files, **how)
                refusals.append(str(error.value))
            with pytest.raises(HeldError) as error:
                predict(trained, files, out=tmp_path / "o.csv", windows=windows)
            refusals.append(str(error.value))
            assert {path.name: path.read_bytes() for path in tmp_path.glob("*.csv*")} == before
        return real(*arguments)

    monkeypatch.setattr(ahead, "read_events", starting_the_second)
    predict(trained, files, out=out, windows=windows)
    assert len(refusals) == 4
    for message, path in zip(refusals, (out, out, windows, windows), strict=True):
        assert message.startswith(f"{path} is being written by `")
        assert f"(process {os.getpid()}, since " in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "windows.csv"]


def test_warnings_stand_in_the_rows(trained: Path, tmp_path: Path) -> None:
    from scipy.signal import resample_poly

    x = resample_poly(np.random.default_rng(0).standard_normal(10_000), 4, 1)
    np.savez(tmp_path / "a.npz", DE=x, fs=12_000)
    rows = json.loads(done("predict", trained, tmp_path / "a.npz", "--json"))
    assert rows["status"] == "ok"
    assert rows["error"].startswith("warning: channel DE carries nothing above 1700 Hz")
    table = done("predict", trained, tmp_path / "a.npz")
    assert "warning: channel DE carries nothing above 1700 Hz" in table
