"""Baselines as ONNX graphs: the same probabilities as scikit-learn's, from the same windows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from faultdiag.baselines import BASELINES
from faultdiag.errors import FaultdiagError
from faultdiag.export.graph import DiagnosisGraph, to_onnx, why_not
from faultdiag.export.runtime import OnnxScorer
from faultdiag.models.baseline import BaselineModel, build_baseline
from faultdiag.models.layers import facts_for
from faultdiag.scoring import FeatureInput, ModelFacts
from faultdiag.signal import normalize

CHANNELS, CLASSES, LENGTH, RATE = ("DE", "FE"), ("N", "IR", "B", "OR"), 512, 12000.0
KNOWN = torch.tensor([[29.5, 3.58, 5.42, 2.36, 0.4]])
WRITTEN = [name for name in BASELINES if BASELINES.get(name).not_exported is None]
OPTIONS = {"random_forest": {"trees": 20}}
CASES = [(name, "6205") for name in WRITTEN]
CASES += [("svm", "each")]
CASES += [(name, None) for name in WRITTEN if name != "logistic_orders"]  # it sees orders only


def some_windows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of noise whose tone tells the class, and the classes; none of the third."""
    draw = np.random.default_rng(seed)
    labels = draw.choice([0, 1, 3], count)
    tones = np.sin(2 * np.pi * np.outer(40 * labels + 20, np.arange(LENGTH) / LENGTH))
    windows = draw.standard_normal((count, len(CHANNELS), LENGTH)) + 0.7 * tones[:, None]
    return (5 * windows + 3).astype(np.float32), labels


def fitted(name: str, bearing: str | None = "6205") -> BaselineModel:
    sees = {"bearing": bearing} if BASELINES.get(name).sees_features else {}
    options = {**sees, **OPTIONS.get(name, {})}
    model = build_baseline(name, CHANNELS, CLASSES, sampling_rate=RATE, **options)
    windows, labels = some_windows(90, 0)
    seen = torch.from_numpy(normalize.normalizer("window_zscore", {})(windows))
    model.baseline.fit(model.features(seen, *facts_for(model, KNOWN.expand(90, 5))), labels, 0)
    return model


def written(model: BaselineModel, bearing: str | None = "6205") -> tuple[DiagnosisGraph, bytes]:
    names = model.baseline.features
    facts = ModelFacts(
        classes=CLASSES,
        healthy=("N",),
        channels=CHANNELS,
        sampling_rate=RATE,
        length=LENGTH,
        needs_speed=model.needs_speed,
        needs_bearing=model.needs_bearing,
        temperature=0.4,
        features=FeatureInput(names, "window_zscore", {}, bearing if model.needs_speed else None),
    )
    graph = DiagnosisGraph(model, normalize.normalizer("window_zscore", {}), 0.4)
    return graph, to_onnx(graph, facts).content


@pytest.mark.parametrize(("name", "bearing"), CASES)
def test_every_baseline_that_skl2onnx_writes(name: str, bearing: str | None) -> None:
    graph, content = written(fitted(name, bearing), bearing)
    windows, _ = some_windows(60, 1)
    known = KNOWN.repeat(len(windows), 1)
    known[1::2] *= 1.05
    with torch.no_grad():
        logits, chances = graph(torch.from_numpy(windows), *facts_for(graph.network, known))
    scorer = OnnxScorer(content)
    np.testing.assert_allclose(scorer.logits(windows, known.numpy()), logits, atol=2e-5)
    np.testing.assert_allclose(scorer.probabilities(windows, known.numpy()), chances, atol=1e-6)
    assert (chances[:, 2] < 1e-9).all()
    assert len(np.unique(chances.argmax(1))) == 3


def test_what_no_graph_holds_gives_its_reason() -> None:
    assert WRITTEN == ["logistic", "logistic_orders", "svm", "random_forest"]
    assert "it returns the same numbers for every window" in str(why_not(fitted("dummy")))
    assert "it is a rule on scores" in str(why_not(fitted("physics")))


def test_a_graph_of_features_needs_neither_torch_nor_scikit_learn(tmp_path: Path) -> None:
    path = tmp_path / "forest.onnx"
    path.write_bytes(written(fitted("random_forest"))[1])
    code = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "for name in ('torch', 'sklearn', 'skops', 'skl2onnx', 'onnx'):\n"
        "    sys.modules[name] = None\n"
        "from faultdiag.export.runtime import load\n"
        f"windows = np.zeros((2, 2, {LENGTH}), np.float32)\n"
        f"print(load(Path({str(path)!r})).probabilities(windows, np.full((2, 5), 30.0)).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "(2, 4)\n"), done.stderr


def test_without_skl2onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(FaultdiagError, match=r"written as ONNX by skl2onnx, but .*'faultdiag\[onn"):
        written(fitted("logistic"))
