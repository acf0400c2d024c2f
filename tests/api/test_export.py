"""Runs exported to one file: the same rows without torch, and a card beside it."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

import faultdiag
from faultdiag.api import export as subject
from faultdiag.api.export import export_run
from faultdiag.api.train import train
from faultdiag.errors import FaultdiagError
from faultdiag.export.metadata import config_digest
from faultdiag.export.runtime import load
from faultdiag.prediction.rows import COLUMNS
from faultdiag.representations import REPRESENTATIONS
from faultdiag.system.files import parse
from tests.commands import done, refused, run
from tests.data_fixtures import tiny_config

# Imports of these packages fail, as where they are not installed.
BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "sklearn", "matplotlib", "onnx", "onnxscript"}:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Blocked())
"""
NUMBERS = ("confidence", "agreement", "novelty")


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run as an ONNX file in a folder of its own, its weights beside it."""
    out = tmp_path_factory.mktemp("export") / "model.onnx"
    text = done("export", trained, "--out", out, "--safetensors")
    assert f"wrote {out}" in text
    assert "opset 18; the largest difference from the network's probabilities" in text
    return out


def same_rows(models: tuple[Path, Path], recordings: Path, tmp_path: Path) -> None:
    """Both models write the same rows: numbers within 1e-5, all else equal."""
    tables = []
    for number, model in enumerate(models):
        out = tmp_path / f"{number}.csv"
        done("predict", model, recordings, "--out", out)
        tables.append(list(csv.DictReader(out.read_text(encoding="utf-8").splitlines())))
    classes = faultdiag.load(models[1]).classes
    for network, graph in zip(*tables, strict=True):
        for name in COLUMNS:
            if name not in NUMBERS:
                assert graph[name] == network[name]
        for name in (*NUMBERS, *classes):
            assert float(graph[name]) == pytest.approx(float(network[name]), abs=1e-5)
    assert len(tables[0]) == 3


def test_load_without_torch_scikit_learn_and_matplotlib(exported: Path, recordings: Path) -> None:
    """What the blocked packages would raise: nothing of the way from file to row needs them."""
    code = (
        f"{BLOCKED}"
        "import faultdiag\n"
        f"diagnoser = faultdiag.load({str(exported)!r})\n"
        f"diagnosis = diagnoser.diagnose({str(recordings / '105.mat')!r})\n"
        "print(diagnosis.label, diagnoser.device)\n"
        "from faultdiag.cli.app import main\n"
        f"sys.argv = ['faultdiag', 'predict', {str(exported)!r}, {str(recordings)!r}]\n"
        "sys.argv.append('--evidence')\n"
        "main()"
    )
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    first, _heading, *rows = finished.stdout.splitlines()
    assert first == "IR cpu"
    assert [row.split(",")[1] for row in rows] == ["ok"] * 3


def test_rows_are_those_of_the_checkpoint(
    trained: Path, exported: Path, recordings: Path, tmp_path: Path
) -> None:
    same_rows((trained, exported), recordings, tmp_path)


@pytest.mark.usefixtures("no_figures")
def test_a_baseline_gives_the_same_rows(
    recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    config = tiny_config(recordings, prepared_root, model={"name": "random_forest", "trees": 20})
    forest = train(config, run=tmp_path / "forest", device="cpu").folder
    done("export", forest, "--out", tmp_path / "forest.onnx")
    same_rows((forest, tmp_path / "forest.onnx"), recordings, tmp_path)
    refused(
        run("export", forest, "--int8"),
        "--int8 makes integers of convolutions and dense layers, and 'random_forest' has none",
    )


def test_facts_that_travel_with_the_graph(trained: Path, exported: Path) -> None:
    facts = load(exported).facts
    metrics = json.loads((trained / "metrics.json").read_text())
    assert (facts.classes, facts.healthy, facts.channels) == (("B", "IR", "N"), ("N",), ("DE",))
    assert (facts.sampling_rate, facts.length) == (12_000, 256)
    assert facts.novelty is not None
    source = subject.checkpoint.load(trained)
    assert facts.healthy_reference == source.healthy_reference is not None
    origin = facts.provenance
    assert origin["split"]["strategy"] == "within_recording"
    assert origin["split"]["leak"] == metrics["split"]["leak"]
    assert origin["test"]["accuracy"] == metrics["test"]["accuracy"]
    assert origin["bearing"] == ["6205"]
    assert origin["versions"]["torch"]
    assert origin["config_sha256"] == config_digest(source.config)


def test_weights_are_those_of_the_checkpoint(trained: Path, exported: Path) -> None:
    from safetensors.torch import load_file

    found = load_file(exported.with_suffix(".safetensors"))
    expected = subject.checkpoint.load(trained).model
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name].numpy(), tensor.numpy())


def test_a_checkpoint_alone_is_exported_beside_itself(trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "some.pt"
    copy.write_bytes((trained / "best.pt").read_bytes())
    made = export_run(copy)
    assert [path.name for path in made.files] == ["model.onnx", "MODEL_CARD.md"]
    assert load(tmp_path / "model.onnx").facts.provenance["test"] is None
    assert "Unknown: there was no `metrics.json`" in (tmp_path / "MODEL_CARD.md").read_text()


def test_weights_alone(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    document = json.loads(done("export", trained, "--out", out, "--json"))
    assert document["files"] == [str(out), str(tmp_path / "MODEL_CARD.md")]
    assert document["opset"] is None


def test_int8_states_accuracy_before_and_after(trained: Path, tmp_path: Path) -> None:
    made = export_run(trained, out=tmp_path / "small.onnx", int8=True, tolerance=0.2)
    assert made.int8 is not None
    metrics = json.loads((trained / "metrics.json").read_text())
    for part in ("valid", "test"):
        assert made.int8.before[part] == pytest.approx(metrics[part]["accuracy"], abs=1e-12)
        assert made.int8.after[part] >= made.int8.before[part] - 0.2
    small = load(tmp_path / "small.onnx")
    windows = np.random.default_rng(0).standard_normal((4, 1, 256)).astype(np.float32)
    plain = faultdiag.load(trained, device="cpu").logits(windows)
    assert 0 < np.abs(small.logits(windows) - plain).max() < 0.5 * np.abs(plain).max()


def test_int8_is_refused_where_it_costs_too_much(trained: Path, tmp_path: Path) -> None:
    """One channel, which the classes don't use, is so large that the others drown beside it."""
    source = subject.checkpoint.load(trained)
    weights = {name: tensor.clone() for name, tensor in source.model.items()}
    weights["blocks.1.norm.bias"][0] = 1e5
    weights["classify.weight"][:, 0] = 0
    subject.checkpoint.save(tmp_path / "a.pt", subject.replace(source, model=weights))
    result = run("export", tmp_path / "a.pt", "--int8")
    refused(result, "--int8 costs more accuracy than 1.00%: valid ")
    numbers = re.findall(r"(\S+)% before, (\S+)% after", result.stderr)
    assert len(numbers) == len(subject.PARTS)
    assert all(float(before) > 90 and float(after) < 50 for before, after in numbers)
    assert result.stderr.endswith("export without it, or allow more with --tolerance\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


class BySpeed(nn.Module):
    """A front end that divides windows by the shaft rate, and needs to know of no bearing."""

    reference, needs_speed, needs_bearing = "", True, False

    def __init__(self, channels: int, length: int, sampling_rate: float) -> None:
        del sampling_rate
        super().__init__()
        self.out_channels, self.out_length = channels, length

    def forward(self, windows: Tensor, rates: Tensor) -> Tensor:
        return windows / rates[:, None, None]


class ByBearing(BySpeed):
    """A front end that divides windows by the order of the inner race."""

    needs_bearing = True

    def forward(self, windows: Tensor, known: Tensor) -> Tensor:
        return windows / known[:, 1, None, None]


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("front", [BySpeed, ByBearing])
def test_int8_of_a_model_that_needs_speed_or_bearing(
    front: type[nn.Module],
    recordings: Path,
    prepared_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(REPRESENTATIONS._registered, "divided", front)
    model = {"name": "cnn1d", "widths": [4, 8], "kernels": [7], "representation": "divided"}
    config = tiny_config(recordings, prepared_root, model=model)
    made = train(config, run=tmp_path / "run", device="cpu")
    int8 = export_run(made.folder, int8=True, tolerance=0.2).int8
    assert int8 is not None
    for part in ("valid", "test"):
        assert int8.before[part] == pytest.approx(made.metrics[part]["accuracy"], abs=1e-12)


def test_int8_needs_the_data(trained: Path, tmp_path: Path) -> None:
    source = subject.checkpoint.load(trained)
    config = {**source.config, "data": {**source.config["data"], "root": str(tmp_path / "gone")}}
    subject.checkpoint.save(tmp_path / "a.pt", subject.replace(source, config=config))
    refused(run("export", tmp_path / "a.pt", "--int8"), "gone")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--out", "model.pb"), "--out model.pb: the suffix tells the format; give a name that en"),
        (("--out", "a.safetensors", "--int8"), "--int8 makes an ONNX file, but --out a.safetens"),
    ],
)
def test_options_that_contradict(trained: Path, words: tuple[str, ...], message: str) -> None:
    refused(run("export", trained, *words), message)


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("onnx", "onnx is not installed; install it with: pip install 'faultdiag[onnx]'"),
        ("onnxscript", "onnxscript is not installed; install it with: pip install 'faultdiag"),
    ],
)
def test_packages_that_are_missing(
    trained: Path, package: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    refused(run("export", trained), message)


def test_a_device_that_an_onnx_file_can_not_use(exported: Path, recordings: Path) -> None:
    refused(
        run("predict", exported, recordings, "--device", "cuda"),
        "model.onnx is an ONNX file, which is computed on the processor, but the device is 'cuda'",
    )


def test_the_card(trained: Path, exported: Path) -> None:
    text = (exported.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    metrics = json.loads((trained / "metrics.json").read_text())
    _, front, body = text.split("---\n", 2)
    head = parse(front, "front matter")
    assert head["library_name"] == "faultdiag"
    (result,) = head["model-index"][0]["results"]
    assert result["dataset"]["name"] == "cwru"
    assert result["metrics"][0] == {
        "type": "accuracy",
        "value": round(metrics["test"]["accuracy"], 6),
        "name": "accuracy of windows",
    }
    low, high = metrics["test"]["recording"]["accuracy_interval"]
    assert f"{low:.1%} to {high:.1%}" in body
    assert "split within_recording: 0 samples in two or more parts" in body
    assert "licence of the data: free to download from the Bearing Data Center" in body
    assert "false-positive rate of" in body
    assert "B 1, IR 1, N 1" in body


def test_another_card_is_not_overwritten(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "MODEL_CARD.md").write_text("of another model")
    with pytest.raises(FaultdiagError, match=r"MODEL_CARD.md exists and is no model card of fault"):
        export_run(trained, out=tmp_path / "w.safetensors")
