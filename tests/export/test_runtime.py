"""Models in ONNX files, loaded and run without torch."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from torch import nn

from faultdiag.errors import FaultdiagError
from faultdiag.export import runtime
from faultdiag.export.graph import to_onnx
from faultdiag.export.metadata import to_texts
from faultdiag.export.runtime import load
from tests.export.graphs import Pair, SideBySide, exported


@pytest.fixture(scope="module")
def pair() -> Pair:
    network = SideBySide({"all": nn.Sequential(nn.Flatten(), nn.Linear(128, 3))})
    return exported(network, channels=2, length=64)


@pytest.fixture(scope="module")
def file(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    path.write_bytes(to_onnx(pair.graph, pair.model.facts).content)
    return path


def test_a_file_and_its_facts(file: Path, pair: Pair) -> None:
    model = load(file)
    assert model.facts.classes == ("c0", "c1", "c2")
    windows = np.random.default_rng(0).standard_normal((5, 2, 64)).astype(np.float32)
    np.testing.assert_array_equal(model.logits(windows), pair.model.logits(windows))


def test_loading_imports_no_torch(file: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "for name in ('torch', 'sklearn', 'matplotlib', 'onnx'):\n    sys.modules[name] = None\n"
        "from faultdiag.export.runtime import load\n"
        f"model = load(Path({str(file)!r}))\n"
        "print(model.probabilities(np.zeros((2, 2, 64), np.float32)).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "(2, 3)\n"), done.stderr


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"none.onnx cannot be read: No such file"):
        load(tmp_path / "none.onnx")


@pytest.mark.parametrize("size", [0, 100, 3000])
def test_a_file_cut_off(file: Path, tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(file.read_bytes()[:size])
    with pytest.raises(FaultdiagError, match=r"cut.onnx is not an ONNX file that ONNX Runtime"):
        load(cut)


def test_a_graph_that_contradicts_its_facts(file: Path, pair: Pair, tmp_path: Path) -> None:
    document = onnx.load(file)
    del document.metadata_props[:]
    texts = to_texts(replace(pair.model.facts, classes=("N", "IR")))
    onnx.helper.set_model_props(document, texts)
    onnx.save(document, tmp_path / "odd.onnx")
    with pytest.raises(FaultdiagError, match=r"odd.onnx contradicts itself: .*'logits': \[3\]"):
        load(tmp_path / "odd.onnx")


def test_a_fixed_batch_is_refused(file: Path, tmp_path: Path) -> None:
    document = onnx.load(file)
    for value in [*document.graph.input, *document.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 3
    onnx.save(document, tmp_path / "fixed.onnx")
    with pytest.raises(FaultdiagError, match=r"fixed.onnx takes batches of 3 windows only"):
        load(tmp_path / "fixed.onnx")


def test_without_onnx_runtime(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FaultdiagError, match=r"pip install 'faultdiag\[onnx\]'"):
        runtime.load(file)
