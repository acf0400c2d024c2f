"""Export a run: one ONNX file with the whole diagnosis, its weights, its card."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from faultdiag import checkpoint
from faultdiag.bundled.catalogue import bundled_model
from faultdiag.checkpoint import Checkpoint
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, needs_extra
from faultdiag.evaluation import (
    known_conditions,
    raw_windows,
    require_fit,
    run_data,
    scorer_logits,
)
from faultdiag.export.graph import (
    OPSET,
    DiagnosisGraph,
    OnnxGraph,
    graph_of,
    in_full_precision,
    require_packages,
    to_onnx,
)
from faultdiag.export.metadata import RunRecord, provenance, read_record, to_texts
from faultdiag.export.quantize import CALIBRATION_WINDOWS, to_int8
from faultdiag.export.runtime import SUFFIX, OnnxScorer
from faultdiag.inference import facts_of
from faultdiag.novelty import evenly
from faultdiag.preparing.folder import Prepared
from faultdiag.report.card import CARD, write_card
from faultdiag.scoring import ModelFacts
from faultdiag.system.files import write_bytes
from faultdiag.system.locks import own_file
from faultdiag.training.run_folder import warn_unfinished

SAFETENSORS = ".safetensors"


def require_safetensors() -> None:
    """Refuse to write weights without the package for it.

    Raises
    ------
    FaultdiagError
        Naming the extra that installs it.
    """
    with needs_extra("hub", "weights are written as safetensors"):
        import safetensors.torch  # noqa: F401  # only whether it is there


def save_weights(path: Path, weights: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
    """Write weights and buffers by name, and texts about the model by key.

    Raises
    ------
    FaultdiagError
        If safetensors is missing, or the file can't be written.
    """
    require_safetensors()
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes(path, save(tensors, {**texts, "format": "pt"}))


# By how much the accuracy of a part may fall in 8-bit integers.
INT8_TOLERANCE = 0.01
PARTS = ("valid", "test")


@dataclass(frozen=True)
class Int8Check:
    """Accuracy of the windows of each part, before and after quantisation."""

    before: Mapping[str, float]
    after: Mapping[str, float]
    tolerance: float


@dataclass(frozen=True)
class Export:
    """The files that an export has written, and how exact they are.

    Parameters
    ----------
    files, opset
        The files, and the opset of the graph; None if only weights were written.
    difference
        The largest difference between a probability of the graph and the network's.
    int8
        What quantisation cost, if it was wanted.
    """

    files: tuple[Path, ...]
    opset: int | None = None
    difference: float | None = None
    int8: Int8Check | None = None

    def document(self) -> Json:
        """Return it as plain data."""
        return {**asdict(self), "files": [str(path) for path in self.files]}


def export_run(
    run: Path,
    *,
    out: Path | None = None,
    int8: bool = False,
    safetensors: bool = False,
    tolerance: float = INT8_TOLERANCE,
) -> Export:
    """Export a run to one ONNX file with the whole diagnosis, and its model card beside it.

    Parameters
    ----------
    run
        Run folder or checkpoint.
    out
        The ONNX file; ``model.onnx`` or ``model.int8.onnx`` beside the checkpoint by default, of
        a model in the box in the current folder, under its name. A
        name that ends in ``.safetensors`` exports the weights alone.
    int8
        Quantise convolutions and dense layers, calibrated on training windows.
    safetensors
        Write the weights too, under the name of `out` with the suffix ``.safetensors``.
    tolerance
        By how much the accuracy of a part may fall in 8-bit integers.

    Raises
    ------
    FaultdiagError
        If a package is missing, the model can't be a graph, the data of the run is not at hand
        for `int8`, the accuracy falls by more than the tolerance, or a file can't be written.
    """
    alone = out is not None and out.suffix == SAFETENSORS
    _require_options(out, int8=int8, alone=alone)
    if safetensors or alone:
        require_safetensors()
    if not alone:
        require_packages()
    warn_unfinished(run)
    source = checkpoint.load(run)
    record = read_record(run, source)
    origin = provenance(record)
    target = out or _default_file(run, int8=int8)
    # Before the work: what can't be written is named at once.
    with own_file(target, "give another file with --out"):
        if alone:
            _write_weights(target, source, origin)
            return Export((target, _write_card(target, run, record)))
        graph, facts = graph_of(source, origin)
        if int8:
            _require_layers(source, facts)
        made, check = to_onnx(graph, facts), None
        if int8:
            made, check = _quantised(graph, made, _own_data(run, source), tolerance)
        files = [target]
        write_bytes(target, made.content)
        if safetensors:
            files.append(target.with_name(f"{target.stem.removesuffix('.int8')}{SAFETENSORS}"))
            _write_weights(files[-1], source, origin)
        files.append(_write_card(target, run, record))
    return Export(tuple(files), OPSET, made.difference, check)


def _own_data(run: Path, source: Checkpoint) -> Prepared:
    """Return the data that a run was trained on, if they are the same still."""
    prepared = run_data(run, source)
    require_fit(source, prepared)
    return prepared


def _require_layers(source: Checkpoint, facts: ModelFacts) -> None:
    if facts.features is not None:
        raise FaultdiagError(
            "--int8 makes integers of convolutions and dense layers, and "
            f"'{source.model_spec.name}' has none; export it without"
        )


def _default_file(run: Path, *, int8: bool) -> Path:
    """Return the ONNX file beside a checkpoint; of a model in the box, in the current folder."""
    ending = f"{'.int8' if int8 else ''}{SUFFIX}"
    bundled = bundled_model(run)
    if bundled is not None:
        return Path(f"{bundled.name}{ending}")
    return checkpoint.resolve(run).with_name(f"model{ending}")


def _write_card(target: Path, run: Path, record: RunRecord) -> Path:
    """Write the card beside what was exported; that of a model in the box comes with it."""
    path, bundled = target.with_name(CARD), bundled_model(run)
    own = None if bundled is None else bundled.card.read_text(encoding="utf-8")
    return write_card(path, record, text=own)


def _require_options(out: Path | None, *, int8: bool, alone: bool) -> None:
    if out is not None and out.suffix not in {SUFFIX, SAFETENSORS}:
        raise FaultdiagError(
            f"--out {out}: the suffix tells the format; give a name that ends in {SUFFIX}, or in "
            f"{SAFETENSORS} for the weights alone"
        )
    if alone and int8:
        raise FaultdiagError(
            f"--int8 makes an ONNX file, but --out {out} is for weights; give a name that ends in "
            f"{SUFFIX}"
        )


def _write_weights(path: Path, source: Checkpoint, origin: Document) -> None:
    facts = facts_of(source, source.build(torch.device("cpu")))
    texts = to_texts(replace(facts, novelty=None, provenance=origin))
    save_weights(path, source.model, texts)


def _quantised(
    graph: DiagnosisGraph, made: OnnxGraph, prepared: Prepared, tolerance: float
) -> tuple[OnnxGraph, Int8Check]:
    plain = OnnxScorer(made.content)
    train = prepared.windows.of("train")
    chosen = train.take(evenly(len(train), CALIBRATION_WINDOWS))
    windows, known = raw_windows(prepared, chosen), known_conditions(prepared, chosen)
    small = to_int8(made.content, windows, known, in_full_precision(graph))
    before, after = (_accuracies(s, prepared) for s in (plain, OnnxScorer(small)))
    fallen = {part: before[part] - after[part] for part in before}
    if max(fallen.values()) > tolerance:
        lost = "; ".join(
            f"{part} {before[part]:.2%} before, {after[part]:.2%} after" for part in fallen
        )
        raise FaultdiagError(
            f"--int8 costs more accuracy than {tolerance:.2%}: {lost}; export without it, or "
            "allow more with --tolerance"
        )
    return OnnxGraph(small, made.difference), Int8Check(before, after, tolerance)


def _accuracies(scorer: OnnxScorer, prepared: Prepared) -> dict[str, float]:
    accuracies = {}
    for part in PARTS:
        scored = scorer_logits(scorer, prepared, part)
        accuracies[part] = float(np.mean(scored.logits.argmax(axis=1) == scored.labels))
    return accuracies
