"""Networks in 8-bit integers."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from faultdiag import models
from faultdiag.export.graph import to_onnx, trial_windows
from faultdiag.export.quantize import to_int8
from faultdiag.export.runtime import OnnxScorer
from tests.export.graphs import LENGTH, RATE, Pair, exported

KEPT = ("network.attention", "network.front")


@pytest.fixture(scope="module")
def pair() -> Pair:
    torch.manual_seed(0)
    attention = {"name": "eca", "after": [2]}
    network = models.build("wdcnn", 1, 4, length=LENGTH, attention=attention, sampling_rate=RATE)
    return exported(network, channels=1, temperature=0.2)


@pytest.fixture(scope="module")
def content(pair: Pair) -> bytes:
    return to_onnx(pair.graph, pair.model.facts).content


def test_integers_say_nearly_the_same(pair: Pair, content: bytes) -> None:
    windows, _ = trial_windows(pair.model.facts, 300)
    small = OnnxScorer(to_int8(content, windows[:200], None, KEPT))
    expected, found = (m.logits(windows[200:]) for m in (pair.model, small))
    spread = expected.std(0).max()
    error = np.sqrt(np.mean((found - expected) ** 2))
    assert 0 < error < 0.1 * spread
    assert vars(small.facts)["classes"] == pair.model.facts.classes


def test_what_is_kept_stays_in_single_precision(pair: Pair, content: bytes) -> None:
    windows, _ = trial_windows(pair.model.facts, 20)
    integers = [
        Counter(node.op_type for node in onnx.load_from_string(made).graph.node)
        for made in (
            to_int8(content, windows, None, KEPT),
            to_int8(content, windows, None, ("network.attention", "network.blocks.0")),
            to_int8(content, windows, None, ()),
        )
    ]
    weights = [count["DequantizeLinear"] - count["QuantizeLinear"] for count in integers]
    assert weights[1] < weights[0] < weights[2]
    assert len(to_int8(content, windows, None, KEPT)) < 0.7 * len(content)
