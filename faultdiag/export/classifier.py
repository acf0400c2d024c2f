"""A fitted baseline as an ONNX graph, by skl2onnx: from features to logits and probabilities.

No graph holds the features: numpy computes them, as the facts in the file say.
"""

import warnings
from typing import Any

import numpy as np

from faultdiag.baselines.baseline import Baseline
from faultdiag.checkpoint import Checkpoint
from faultdiag.errors import (
    needs_extra,
)
from faultdiag.export.runtime import FEATURES, LOGITS, PROBABILITIES
from faultdiag.models.baseline import LEAST, BaselineModel
from faultdiag.scoring import FeatureInput

# Of the operators for classifiers: the first one whose trees compare in float64.
CLASSIFIER_OPSET = 3
# What the classifier itself is fed: the columns in use. Its names get a prefix of their own.
_COLUMNS, _PREFIX = "columns", "fitted_"
_USED = f"{_PREFIX}{_COLUMNS}"


def feature_input(source: Checkpoint, model: BaselineModel) -> FeatureInput:
    """Return how windows become the features of a baseline."""
    bearing = source.model_spec.options.get("bearing") if model.needs_speed else None
    return FeatureInput(
        model.baseline.features,
        source.normalize["name"],
        source.normalize["state"],
        None if bearing is None else str(bearing),
    )


def classifier_document(baseline: Baseline, temperature: float, opset: int) -> Any:
    """Return a fitted baseline as an ONNX model of features ``(B, features)`` in float64.

    Raises
    ------
    FaultdiagError
        If skl2onnx is missing.
    """
    document = _converted(baseline, opset)
    graph = document.graph
    nodes = [*_before(baseline), *graph.node, *_after(graph.output[1].name)]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend(_constants(baseline, temperature))
    classes = len(baseline.classes)
    graph.input.append(_value(FEATURES, np.float64, len(baseline.features)))
    graph.output.append(_value(LOGITS, np.float64, classes))
    graph.output.append(_value(PROBABILITIES, np.float32, classes))
    return document


def _converted(baseline: Baseline, opset: int) -> Any:
    """Return the fitted classifier as skl2onnx writes it; its outputs are label, probabilities."""
    from onnx.compose import add_prefix

    with needs_extra("onnx", "a baseline is written as ONNX by skl2onnx"):
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType
    with warnings.catch_warnings():
        # skl2onnx looks at attributes that scikit-learn is about to drop.
        warnings.simplefilter("ignore")
        document = to_onnx(
            baseline.model,
            initial_types=[(_COLUMNS, DoubleTensorType([None, len(baseline.columns)]))],
            options={id(baseline.model): {"zipmap": False}},
            target_opset={"": opset, "ai.onnx.ml": CLASSIFIER_OPSET},
        )
    return add_prefix(document, _PREFIX)


def _before(baseline: Baseline) -> list[Any]:
    """Return the nodes from all features to the columns in use."""
    from onnx import TensorProto
    from onnx.helper import make_node

    if not baseline.in_single:
        return [make_node("Gather", [FEATURES, "columns"], [_USED], axis=1)]
    # Trees compare what scikit-learn rounds first.
    return [
        make_node("Gather", [FEATURES, "columns"], ["chosen"], axis=1),
        make_node("Cast", ["chosen"], ["rounded"], to=TensorProto.FLOAT),
        make_node("Cast", ["rounded"], [_USED], to=TensorProto.DOUBLE),
    ]


def _after(chances: str) -> list[Any]:
    """Return the nodes from probabilities of the classes present to the outputs of a diagnosis."""
    from onnx import TensorProto
    from onnx.helper import make_node

    return [
        make_node("Cast", [chances], ["present"], to=TensorProto.DOUBLE),
        make_node("MatMul", ["present", "places"], ["all"]),
        make_node("Max", ["all", "least"], ["bounded"]),
        make_node("Log", ["bounded"], [LOGITS]),
        make_node("Div", [LOGITS, "temperature"], ["scaled"]),
        make_node("Softmax", ["scaled"], ["softmax"], axis=-1),
        make_node("Cast", ["softmax"], [PROBABILITIES], to=TensorProto.FLOAT),
    ]


def _constants(baseline: Baseline, temperature: float) -> list[Any]:
    from onnx.numpy_helper import from_array

    constants = {
        "columns": np.array(baseline.columns, np.int64),
        "places": np.eye(len(baseline.classes))[baseline.present(baseline.model)],
        "least": np.array(LEAST),
        "temperature": np.array(float(temperature)),
    }
    return [from_array(values, name) for name, values in constants.items()]


def _value(name: str, kind: type[np.generic], width: int) -> Any:
    from onnx.helper import make_tensor_value_info, np_dtype_to_tensor_dtype

    return make_tensor_value_info(name, np_dtype_to_tensor_dtype(np.dtype(kind)), ["batch", width])
