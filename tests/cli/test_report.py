"""The commands report, explain and trend: files, formats, options, and what goes wrong."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.commands import done, refused, run
from tests.evidence.signals import FS, RPM, impacts

STATED = ["--sampling-rate", FS, "--rpm", RPM, "--bearing", "6205"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    for name, order in (("inner", 5.40), ("outer", 3.60)):
        x = impacts(order, seconds=3.0, jitter=0.01, modulation=0.8)
        savemat(folder / f"{name}.mat", {"DE": x[:, None]})
    (folder / "broken.mat").write_bytes(b"nothing")
    return folder


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty recordings of a machine whose inner race fails from the twelfth on."""
    folder = tmp_path_factory.mktemp("life")
    for n in range(20):
        x = np.random.default_rng(n).normal(size=FS)
        x += max(n - 11, 0) * impacts(5.40, seconds=1.0, jitter=0.01, noise=0.0, seed=n)
        savemat(folder / f"2025010{1 + n // 10}_{n % 10:02d}0000.mat", {"DE": x[:, None]})
    return folder


def test_a_prediction_becomes_one_file(trained: Path, files: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    result = run("report", trained, files, *STATED, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert f"wrote {out}" in result.stderr
    page = out.read_text()
    assert "<h1>Diagnosis of 3 recordings</h1>" in page
    assert page.count('<article class="page"') == 3
    assert "1 could not be diagnosed" in page
    assert "Fault lines found in the envelope spectra" in page
    assert "What the network looked at: frequency" in page
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_severity_needs_units_and_says_so(trained: Path, files: Path, tmp_path: Path) -> None:
    zone = ["--machine-group", 2, "--mounting", "rigid"]
    plain = done("report", trained, files / "inner.mat", *STATED, *zone, "--format", "md")
    assert "nothing states the unit of the signal" in plain
    assert "mm/s RMS" not in plain
    stated = [*STATED, *zone, "--units", "g", "--format", "md"]
    text = done("report", trained, files / "inner.mat", *stated)
    assert re.search(r"Velocity: [\d.]+ mm/s RMS, 10 to 1000 Hz", text)
    assert "ISO 10816-3:2009" in text
    half = run("report", trained, files / "inner.mat", "--machine-group", 1, "--units", "g")
    refused(half, "needs --machine-group and --mounting; --mounting is missing")


def test_more_recordings_than_pages_are_read_twice_and_capped(trained: Path, files: Path) -> None:
    text = done("report", trained, files, *STATED, "--pages", 1, "--format", "json")
    recordings = json.loads(text)["recordings"]
    assert [row["explanation"] is not None for row in recordings].count(True) == 1
    assert recordings[0]["explanation"] is not None


def test_rows_of_predict_are_reported_with_and_without_the_model(
    trained: Path, files: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    run("predict", trained, files, *STATED, "--evidence", "--out", rows)
    alone = json.loads(done("report", rows, "--format", "json"))
    both = json.loads(done("report", trained, rows, *STATED, "--format", "json"))
    assert [r["label"] for r in alone["recordings"]] == [r["label"] for r in both["recordings"]]
    assert alone["recordings"][0]["evidence"] is None
    assert any("report on the run and these rows" in m for m in alone["recordings"][0]["missing"])
    assert both["recordings"][0]["evidence"]["physics"]["part"] in {"inner", "outer"}
    ranks = [r["finding"]["rank"] for r in alone["recordings"]]
    assert ranks == [r["finding"]["rank"] for r in both["recordings"]]


def test_rows_of_recordings_that_are_gone_still_make_a_page(
    trained: Path, files: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "gone.mat"
    copy.write_bytes((files / "inner.mat").read_bytes())
    rows = tmp_path / "rows.jsonl"
    run("predict", trained, copy, *STATED, "--evidence", "--json", "--out", rows)
    copy.unlink()
    page = done("report", trained, rows, "--format", "md")
    assert "isn't there any more" in page.replace("\\", "")


def test_a_run_is_reported(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.html"
    assert run("report", trained, "--out", out).exit_code == 0
    page = out.read_text()
    for heading in ("Data and split", "Learning curves", "Confusion", "Calibration", "Failures"):
        assert f">{heading}</h2>" in page
    assert "What the last layer sees" in page
    assert "Calibration, chart" in page


def test_an_unfinished_run_opens_and_says_what_is_missing(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((trained / "config.yaml").read_bytes())
    text = done("report", tmp_path, "--format", "md")
    assert "the run isn't finished; train it with" in text.replace("\\", "")
    assert "This run has no test results" in text
    assert "No test results are stored." in text


def test_an_onnx_file_makes_a_page_without_what_the_network_looked_at(
    trained: Path, files: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    model = tmp_path / "model.onnx"
    done("export", trained, "--out", model)
    text = done("report", model, files / "inner.mat", *STATED, "--format", "md")
    assert "what the network looked at: an ONNX file has no gradients; give the run folder" in text
    assert "2×BPFI" in text


def test_rows_of_errors_alone_make_a_page(trained: Path, files: Path, tmp_path: Path) -> None:
    rows, page = tmp_path / "rows.csv", tmp_path / "page.html"
    run("predict", trained, files / "broken.mat", "--out", rows)
    for arguments in ([rows], [trained, rows]):
        done("report", *arguments, "--out", page)
        text = page.read_text()
        assert "No recording could be diagnosed." in text
        assert "<h3>Not diagnosed</h3>" in text


def test_rows_without_any_say_how_to_make_some(trained: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("path,status,label,confidence\n")
    for arguments in ([rows], [trained, rows]):
        refused(run("report", *arguments), "no rows: nothing to report on; diagnose recordings")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "is not there"),
        (["."], "is no run folder: it has none of metrics.json"),
    ],
)
def test_what_is_no_run_is_refused(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(run("report", *words), message)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_file_to_write(trained: Path, files: Path, tmp_path: Path) -> None:
    refused(run("report", trained, "--out", tmp_path), "is a folder; name a file")


def test_an_explanation_is_text_json_and_a_picture(
    trained: Path, files: Path, tmp_path: Path
) -> None:
    png = tmp_path / "e.png"
    result = run("explain", trained, files / "inner.mat", *STATED, "--plot", png)
    assert result.exit_code == 0, result.stderr
    assert "frequency: fall of the probability of" in result.stdout
    assert "integrated gradients:" in result.stdout
    assert png.read_bytes().startswith(b"\x89PNG")
    document = json.loads(done("explain", trained, files / "inner.mat", *STATED, "--json"))
    assert len(document["explanation"]["bands"]["drops"]) > 1
    assert document["evidence"]["physics"]["part"] == "inner"


def test_what_cannot_be_explained(trained: Path, files: Path, tmp_path: Path) -> None:
    refused(run("explain", trained, files), "explain takes one recording")
    refused(run("explain", trained, files / "broken.mat"), "broken.mat")
    wrong = run("explain", trained, files / "inner.mat", *STATED, "--plot", tmp_path / "e.pdf")
    assert wrong.exit_code == 1
    assert "give a name that ends in .png" in wrong.stderr


def test_a_trend_finds_when_the_machine_changes(machine: Path, tmp_path: Path) -> None:
    png = tmp_path / "t.png"
    result = run("trend", machine, *STATED, "--plot", png)
    assert result.exit_code == 0, result.stderr
    assert "20 recordings in the order of their time" in result.stdout
    assert "the first ones are assumed to be healthy" in result.stdout
    assert png.read_bytes().startswith(b"\x89PNG")
    document = json.loads(done("trend", machine, *STATED, "--json"))
    kurtosis = document["indicators"]["kurtosis"]
    assert 11 < kurtosis["alarm"]["persistent"] < 18
    assert max(kurtosis["values"][:12]) < kurtosis["baseline"]["limit"]


def test_the_times_of_a_manifest_win_over_those_in_names(machine: Path, tmp_path: Path) -> None:
    paths = sorted(machine.iterdir())
    rows = [f"{path},2026-01-{20 - n:02d}T00:00" for n, path in enumerate(paths)]
    manifest = tmp_path / "list.csv"
    manifest.write_text("\n".join(["path,time", *rows]))
    document = json.loads(done("trend", manifest, *STATED, "--json"))
    assert document["ordered_by"] == "time"
    assert [row["path"] for row in document["recordings"]] == [str(p) for p in paths[::-1]]
    manifest.write_text("\n".join(["path,time", *rows[:-1], f"{paths[-1]},yesterday"]))
    assert "20 recordings in the order of their time" in done("trend", manifest, *STATED)


def test_without_all_times_names_decide_and_the_text_says_so(tmp_path: Path) -> None:
    for name in ("20250101.mat", "b.mat", "a.mat"):
        x = np.random.default_rng(0).normal(size=FS)
        savemat(tmp_path / name, {"DE": x[:, None]})
    text = done("trend", tmp_path, *STATED)
    assert "in the order of their name: only 1 of them has a time" in text


def test_a_report_draws_recordings_in_the_order_of_a_manifest(
    trained: Path, machine: Path, tmp_path: Path
) -> None:
    paths = sorted(machine.iterdir())[:3]
    for n, path in enumerate(paths):
        shutil.copy(path, tmp_path / f"{'cab'[n]}.mat")
    rows = [f"{name}.mat,2026-01-0{n}" for n, name in enumerate("abc", 1)]
    (tmp_path / "list.csv").write_text("\n".join(["path,time", *rows]))
    page = tmp_path / "page.html"
    done("report", trained, tmp_path / "list.csv", *STATED, "--out", page, "--quiet")
    assert "2026-01-01 00:00 to 2026-01-03 00:00" in page.read_text()


def test_the_baseline_is_of_the_recordings_that_are_named(machine: Path) -> None:
    healthy = sorted(machine.iterdir())[:8]
    named = [word for path in healthy for word in ("--healthy", path)]
    document = json.loads(done("trend", machine, *named, *STATED, "--json"))
    assert (len(document["healthy"]), document["assumed"]) == (8, False)
    assert document["indicators"]["rms"]["baseline"]["windows"] == 8


def test_without_speed_and_bearing_the_rest_is_measured(machine: Path) -> None:
    text = done("trend", machine, "--sampling-rate", FS)
    assert "prominence of the fault line: not measured; it needs the shaft speed" in text


def test_a_trend_of_one_recording_is_refused(machine: Path, files: Path) -> None:
    first = sorted(machine.iterdir())[0]
    refused(run("trend", first, *STATED), "a trend needs 2 recordings or more")
    left_out = run("trend", machine, files / "broken.mat", *STATED)
    assert left_out.exit_code == 0
    assert "left out: " in left_out.stderr


def test_a_column_of_hours_is_no_channel(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=2560)
    for n in range(3):
        columns = np.column_stack([np.full(2560, 9), x])
        np.savetxt(tmp_path / f"acc_{n:05d}.csv", columns, delimiter=",", fmt="%g")
    wrong = run("trend", tmp_path, "--sampling-rate", 25_600)
    assert wrong.exit_code == 1
    assert "is constant (9), as a column of hours is; choose one of" in wrong.stderr
