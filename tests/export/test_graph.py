"""Every network, front end, attention block and normaliser as an ONNX graph, against torch."""

import ast
import copy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from faultdiag import attention, models, representations
from faultdiag.errors import FaultdiagError
from faultdiag.export import graph as graph_module
from faultdiag.export.graph import (
    OPSET,
    SCOPES,
    DiagnosisGraph,
    in_full_precision,
    to_onnx,
    trial_windows,
    why_not,
)
from faultdiag.export.quantize import to_int8
from faultdiag.export.runtime import OnnxScorer, condition_inputs
from faultdiag.signal import normalize
from tests.export.graphs import LENGTH, RATE, Pair, SideBySide, compare, exported, exported_network

REFUSED = [
    name
    for name in representations.REPRESENTATIONS
    if hasattr(representations.REPRESENTATIONS.get(name), "not_exported")
]
FRONTS = [name for name in representations.REPRESENTATIONS if name not in REFUSED]


@pytest.fixture(scope="module", params=list(models.NETWORKS))
def network(request: pytest.FixtureRequest) -> Pair:
    return exported_network(request.param)


def test_every_network(network: Pair) -> None:
    compare(network)


def test_every_network_in_int8(network: Pair) -> None:
    windows, known = trial_windows(network.model.facts, 160)
    kept = in_full_precision(network.graph)
    content = to_int8(network.content, windows[:64], known[:64], kept)
    small = OnnxScorer(content)
    expected, found = (m.logits(windows[64:], known[64:]) for m in (network.model, small))
    error = np.sqrt(np.mean((found - expected) ** 2))
    assert 0 < error < 0.2 * expected.std(0).max()
    assert np.mean(found.argmax(1) == expected.argmax(1)) > 0.9
    assert vars(small.facts)["classes"] == network.model.facts.classes


@pytest.mark.parametrize(
    "name", [name for name in representations.REPRESENTATIONS if name != "raw"]
)
def test_every_front_end_stays_in_single_precision(name: str) -> None:
    given = {"length": LENGTH, "sampling_rate": RATE, "representation": name}
    network = models.build("cnn1d", 2, 4, widths=[4], pool=1, **given)
    graph = DiagnosisGraph(network, nn.Identity(), 1.0)
    kept = [graph.get_submodule(place) for place in in_full_precision(graph)]
    front = type(representations.build(name, 2, LENGTH, RATE))
    assert [type(module) for module in kept] == [front]


@pytest.fixture(scope="module")
def fronts() -> Pair:
    parts = {name: representations.build(name, 2, LENGTH, RATE) for name in FRONTS}
    return exported(SideBySide(parts), channels=2)


@pytest.mark.parametrize("name", FRONTS)
def test_every_front_end(fronts: Pair, name: str) -> None:
    compare_part(fronts, name)


def test_what_no_graph_holds_gives_its_reason() -> None:
    assert REFUSED == ["vmd"]
    network = models.build("wdcnn", 1, 4, length=LENGTH, representation="vmd", sampling_rate=RATE)
    assert "until the modes of each window settle" in str(why_not(network))
    assert why_not(models.build("wdcnn", 1, 4, length=LENGTH)) is None


@pytest.fixture(scope="module")
def blocks() -> Pair:
    torch.manual_seed(0)
    more = {"emca": {"previous_channels": ()}}
    parts = {name: attention.build(name, 16, **more.get(name, {})) for name in attention.BLOCKS}
    wrapped = {name: _Alone(part) for name, part in parts.items()}
    return exported(SideBySide(wrapped), channels=16, length=32)


class _Alone(nn.Module):
    """A block where nothing was before it."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(x, []) if getattr(self.block, "uses_previous", False) else self.block(x)


@pytest.mark.parametrize("name", list(attention.BLOCKS))
def test_every_attention_block(blocks: Pair, name: str) -> None:
    compare_part(blocks, name)


def compare_part(pair: Pair, name: str) -> None:
    """A part of the graph is as near to the exact numbers as torch is in single precision."""
    exact = copy.deepcopy(pair.graph).double()
    windows, known = trial_windows(pair.model.facts, 7)
    facts = condition_inputs(pair.model.facts, known).values()
    with torch.no_grad():
        wanted = exact(torch.from_numpy(windows).double(), *map(torch.from_numpy, facts))[0].numpy()
    (torch_made, _), (found, _) = pair.outputs(7)
    place = pair.graph.network.places[name]
    error, usual = (np.sqrt(np.mean((y - wanted)[:, place] ** 2)) for y in (found, torch_made))
    size = np.sqrt(np.mean(wanted[:, place] ** 2))
    assert size > 0
    assert error <= 2 * usual + 1e-6 * size


@pytest.mark.parametrize("name", list(normalize.NORMALIZERS))
def test_every_normaliser(name: str) -> None:
    network = SideBySide({"all": nn.Identity()})
    pair = exported(network, channels=2, length=64, norm=name)
    compare(pair)


def test_the_graph_states_opset_and_facts_and_no_path_of_this_machine() -> None:
    content = _tiny().content
    document = onnx.load_from_string(content)
    assert [(o.domain, o.version) for o in document.opset_import] == [("", OPSET)]
    assert {tuple(e.key for e in node.metadata_props) for node in document.graph.node} <= {
        (SCOPES,),
        (),
    }
    assert b"/faultdiag/" not in content
    keys = {entry.key for entry in document.metadata_props}
    assert {"faultdiag.classes", "faultdiag.sampling_rate", "faultdiag.format"} <= keys
    shape = document.graph.input[0].type.tensor_type.shape
    assert [d.dim_param or d.dim_value for d in shape.dim] == ["batch", 2, 64]
    scopes = {ast.literal_eval(e.value)[1] for n in document.graph.node for e in n.metadata_props}
    assert "network" in scopes


def _tiny() -> Pair:
    return exported(
        SideBySide({"a": nn.Sequential(nn.Flatten(), nn.Linear(128, 3))}), channels=2, length=64
    )


def test_a_graph_with_other_probabilities_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = _tiny()
    monkeypatch.setattr(graph_module, "TOLERANCE", 0.0)
    nn.init.constant_(pair.graph.network.parts["a"][1].weight, torch.nan)
    with pytest.raises(FaultdiagError, match=r"gives other probabilities.*differ by nan"):
        to_onnx(pair.graph, pair.model.facts)
