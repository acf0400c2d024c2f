"""Networks in 8-bit integers."""

from collections import Counter

import onnx
import pytest
import torch

from faultdiag import models
from faultdiag.export.graph import trial_windows
from faultdiag.export.quantize import to_int8
from tests.export.graphs import LENGTH, RATE, Pair, exported

KEPT = ("network.attention", "network.front")


@pytest.fixture(scope="module")
def pair() -> Pair:
    torch.manual_seed(0)
    attention = {"name": "eca", "after": [2]}
    network = models.build("wdcnn", 1, 4, length=LENGTH, attention=attention, sampling_rate=RATE)
    return exported(network, channels=1, temperature=0.2)


def test_what_is_kept_stays_in_single_precision(pair: Pair) -> None:
    content = pair.content
    windows, known = trial_windows(pair.model.facts, 20)
    integers = [
        Counter(node.op_type for node in onnx.load_from_string(made).graph.node)
        for made in (
            to_int8(content, windows, known, KEPT),
            to_int8(content, windows, known, ("network.attention", "network.blocks.0")),
            to_int8(content, windows, known, ()),
        )
    ]
    weights = [count["DequantizeLinear"] - count["QuantizeLinear"] for count in integers]
    assert weights[1] < weights[0] < weights[2]
    assert len(to_int8(content, windows, known, KEPT)) < 0.7 * len(content)
