"""A trained model on a part of its data, with noise, or on the data of another config."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from faultdiag import checkpoint, inference, metrics
from faultdiag.checkpoint import Checkpoint
from faultdiag.config.schema import Config, parse_config
from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.inference import WindowBatches, logits_of
from faultdiag.noise import add_noise
from faultdiag.preparing.folder import Prepared, gather
from faultdiag.preparing.prepare import prepare
from faultdiag.preparing.window_index import WindowIndex
from faultdiag.scoring import Scorer, softmax
from faultdiag.signal.bearings import conditions
from faultdiag.signal.noise import KINDS
from faultdiag.splits.within import ALL_PARTS, PARTS

# Noise of `eval --snr` is the same in every evaluation, so that figures can be compared.
NOISE_SEED = 0


@dataclass(frozen=True, eq=False)
class PartLogits:
    """Logits of the windows of a part, with the classes and recordings of these.

    Parameters
    ----------
    labels
        Index of the true class in the network's classes, ``(windows,)``; -1 where it is not one of
        them, as of an unlabelled target.
    logits
        ``(windows, classes)``.
    recordings
        Index of the recording, ``(windows,)``.
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.float64]
    recordings: NDArray[np.int64]

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Softmax of the logits over a temperature, ``(windows, classes)``."""
        return softmax(self.logits / temperature)

    def labelled(self) -> "PartLogits | None":
        """Return the windows that have a class, or None where none has."""
        known = self.labels >= 0
        if known.all():
            return self
        return self._of(known) if known.any() else None

    def _of(self, rows: NDArray[np.bool_]) -> "PartLogits":
        return PartLogits(self.labels[rows], self.logits[rows], self.recordings[rows])


def part_logits(
    network: nn.Module,
    prepared: Prepared,
    part: str,
    *,
    classes: tuple[str, ...],
    device: torch.device,
    precision: str = "float32",
    normalize: Document | None = None,
    snr: float | None = None,
    kind: str = "white",
    alone: bool = False,
) -> PartLogits:
    """Pass the windows of one part through a network.

    Parameters
    ----------
    classes
        Names of the network's logits; the data may have fewer.
    normalize
        The fitted normaliser of the model; by default that of the data.
    snr, kind
        Signal-to-noise ratio in dB of noise added to each raw window, None for none, and its
        kind.
    alone
        Whether the noise replaces the signal.
    """
    windows = prepared.windows.of(part)
    disturb = None
    if snr is not None:
        disturb = add_noise(kind, snr, NOISE_SEED, prepared.sampling_rate, alone=alone)
    batches = WindowBatches(prepared, windows, device, disturb, normalize=normalize)
    # The last one is for label -1, of windows that have none of the classes.
    known = np.array([*(classes.index(name) for name in prepared.classes), -1])
    logits = logits_of(network, batches, precision)
    return PartLogits(known[windows.label], logits, windows.recording.astype(np.int64))


def scorer_logits(scorer: Scorer, prepared: Prepared, part: str) -> PartLogits:
    """Compute the logits of the windows of one part by what computes a prediction.

    Parameters
    ----------
    scorer
        The scorer of a model that the data fits, see `require_fit`.
    """
    windows = prepared.windows.of(part)
    known = np.array([scorer.facts.classes.index(name) for name in prepared.classes])
    logits = np.concatenate(
        [
            scorer.logits(raw_windows(prepared, rows), known_conditions(prepared, rows))
            for rows in _chunks(windows, scorer.batch)
        ]
    )
    return PartLogits(known[windows.label], logits, windows.recording.astype(np.int64))


def raw_windows(prepared: Prepared, windows: WindowIndex) -> NDArray[np.float32]:
    """Return windows as they were recorded, ``(windows, channels, length)``."""
    return gather(prepared.signals, prepared.positions(windows), prepared.length)


def known_conditions(prepared: Prepared, windows: WindowIndex) -> NDArray[np.float32]:
    """Return `faultdiag.signal.bearings.CONDITIONS` of windows, ``(windows, 5)``; NaN: unknown."""
    table = [conditions(recording.rpm, recording.bearing) for recording in prepared.recordings]
    return np.array(table, np.float32)[windows.recording]


def _chunks(windows: WindowIndex, size: int) -> Iterator[WindowIndex]:
    for first in range(0, len(windows), size):
        yield windows.take(np.arange(first, min(first + size, len(windows))))


def part_reader(
    source: Checkpoint, prepared: Prepared, device: torch.device
) -> Callable[[str], PartLogits]:
    """Return a function from a part to the logits of a checkpoint's network."""
    return partial(
        part_logits,
        source.build(device),
        prepared,
        classes=source.classes,
        device=device,
        precision=source.precision,
    )


def score_part(
    logits: PartLogits,
    prepared: Prepared,
    *,
    classes: tuple[str, ...],
    healthy: tuple[str, ...],
    temperature: float = 1.0,
) -> Json:
    """Score the logits of a part; parameters and result as for `evaluate_part`."""
    result: Json = dict(
        metrics.evaluate(
            logits.labels,
            logits.probabilities(temperature),
            logits.recordings,
            classes=classes,
            healthy=[name for name in healthy if name in classes],
        )
    )
    for row in result["recording"]["rows"]:
        row["recording"] = prepared.recordings[row["recording"]].name
    unscaled = metrics.expected_calibration_error(logits.labels, logits.probabilities())
    bins = metrics.reliability(logits.labels, logits.probabilities(temperature))
    calibration = {
        "ece_unscaled": unscaled,
        "nll": metrics.nll(logits.logits, logits.labels, temperature=temperature),
        "nll_unscaled": metrics.nll(logits.logits, logits.labels),
        "temperature": temperature,
    }
    # What is long goes last: people read this.
    tables = {key: result.pop(key) for key in ("per_class", "confusion", "recording")}
    return result | calibration | tables | {"reliability": _plain(bins)}


def _plain(bins: metrics.Reliability) -> dict[str, list[float | None]]:
    """Return bins as plain values; what is undefined in an empty bin is None."""
    columns = {name: column.tolist() for name, column in bins._asdict().items()}
    return {k: [v if np.isfinite(v) else None for v in column] for k, column in columns.items()}


def evaluate_part(
    network: nn.Module,
    prepared: Prepared,
    part: str,
    *,
    classes: tuple[str, ...],
    healthy: tuple[str, ...],
    temperature: float = 1.0,
    **passing: Any,
) -> Json:
    """Evaluate a network on the windows of one part.

    Parameters
    ----------
    classes, passing
        As for `part_logits`, which takes the other options.
    healthy
        Classes that false and missed alarms are counted against.
    temperature
        Divisor of the logits before the softmax.

    Returns
    -------
    The metrics of `faultdiag.metrics.evaluation.evaluate`, each recording by its name; ``nll``, the
    mean negative log-likelihood of the windows in nats, and ``temperature``. ``ece_unscaled`` and
    ``nll_unscaled`` are those at temperature 1.
    """
    logits = part_logits(network, prepared, part, classes=classes, **passing)
    scored = logits.labelled()
    if scored is None:
        raise FaultdiagError(
            f"the {part} part has no labels of {', '.join(classes)}, so there is nothing to score; "
            "use `faultdiag predict` to diagnose its recordings"
        )
    return score_part(scored, prepared, classes=classes, healthy=healthy, temperature=temperature)


def evaluate_noise(
    network: nn.Module, prepared: Prepared, part: str, snr: float, kind: str, **options: Any
) -> Json:
    """Evaluate a network on one part with noise, and on the noise alone.

    A network fed with the scaled noise without the signal must know nothing: what it gets right
    beyond the share of one class comes from the level of the noise, which carries that of the
    signal. Its key is ``noise_only_accuracy``.

    Parameters
    ----------
    options
        As for `evaluate_part`.
    """
    scores = evaluate_part(network, prepared, part, snr=snr, kind=kind, **options)
    kept = ("classes", "device", "precision", "normalize")
    control = part_logits(
        network,
        prepared,
        part,
        snr=snr,
        kind=kind,
        alone=True,
        **{key: options[key] for key in kept if key in options},
    )
    right = float((control.logits.argmax(1) == control.labels).mean())
    return {"kind": kind, "snr": snr, "noise_only_accuracy": right, **scores}


def describe_split(prepared: Prepared) -> Json:
    """Return the context of every score: the strategy, and what its parts share."""
    return {
        "strategy": prepared.document["split"]["strategy"],
        **prepared.audit.to_dict(),
        **prepared.sharing.to_dict(),
        "notes": prepared.notes,
    }


def require_fit(checkpoint: Checkpoint, prepared: Prepared) -> None:
    """Refuse data that the model can't be evaluated on.

    Raises
    ------
    FaultdiagError
        If channels, sampling rate, window length or classes differ.
    """
    expected = {
        "data.channels": list(checkpoint.channels),
        "data.sampling_rate": checkpoint.sampling_rate,
        "window.length": checkpoint.length,
    }
    actual = {
        "data.channels": list(prepared.channels),
        "data.sampling_rate": prepared.sampling_rate,
        "window.length": prepared.length,
    }
    problems = [
        f"{key} is {_shown(actual[key])}, the model was trained with {_shown(expected[key])}"
        for key in expected
        if actual[key] != expected[key]
    ]
    strange = [name for name in prepared.classes if name not in checkpoint.classes]
    if strange:
        problems.append(
            f"the data has the classes {', '.join(strange)}, the model knows "
            f"{', '.join(checkpoint.classes)}; set data.label and data.select to give those"
        )
    if problems:
        raise FaultdiagError("; ".join(problems))


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def read_split(run: Path) -> Json:
    """Read the split that a run was trained with.

    Raises
    ------
    FaultdiagError
        If the run folder has no readable ``split.json``.
    """
    path = run / "split.json"
    try:
        split = parse_json(path.read_text(encoding="utf-8"))
        return {"recordings": split["recordings"], "parts": split["parts"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FaultdiagError(
            f"cannot read {path}, which says what the run was trained on: {error!r}; restore it, "
            "or train again"
        ) from error


def seen_share(split: Document, prepared: Prepared, part: str) -> float:
    """Share of a part's windows that overlap what a model was trained on or chosen by.

    Parameters
    ----------
    split
        What `read_split` gave for the model's run; recordings are matched by their bytes.
    prepared, part
        What the model is evaluated on, at the rate it was trained at.
    """
    seen: dict[str, list[tuple[int, int]]] = {}
    for name in ("train", "valid"):
        for recording, start, stop in split["parts"][name]:
            seen.setdefault(split["recordings"][recording]["sha256"], []).append((start, stop))
    windows = prepared.windows.of(part)
    count = 0
    for recording, starts in windows.by_recording().items():
        segments = seen.get(prepared.recordings[recording].sha256, [])
        overlaps = [
            (starts < stop) & (starts + prepared.length > start) for start, stop in segments
        ]
        count += int(np.any(overlaps, axis=0).sum()) if overlaps else 0
    return count / len(windows)


def same_recordings(
    split: Document,
    prepared: Prepared,
    remedy: str = "train again, or evaluate other data on purpose with --config",
) -> None:
    """Refuse data that has changed since the split was made.

    Parameters
    ----------
    split
        What `read_split` gave.
    remedy
        What helps beside restoring the data.

    Raises
    ------
    FaultdiagError
        Naming the recordings that differ.
    """
    before = {row["name"]: row["sha256"] for row in split["recordings"]}
    now = {row.name: row for row in prepared.recordings}
    problems = [f"recording {name} is missing" for name in before.keys() - now.keys()]
    for name, row in now.items():
        if name not in before:
            problems.append(f"{row.source} was not there")
        elif row.sha256 != before[name]:
            problems.append(f"{row.source} has changed")
    if not problems and split["parts"] != prepared.document["split"]["parts"]:
        problems = ["another version of faultdiag cut it into other parts"]
    if problems:
        raise FaultdiagError(
            f"the data is not what the run was trained on: {', '.join(sorted(problems))}; "
            f"restore it, {remedy}"
        )


def evaluate_run(
    run: Path,
    part: str,
    *,
    config: Config | None = None,
    split: Path | None = None,
    snr: Sequence[float] = (),
    noise: Sequence[str] = ("white",),
    device: str = "auto",
) -> Json:
    """Evaluate a trained run on one part of its own split, or of the data of another config.

    Parameters
    ----------
    run
        Run folder or checkpoint.
    split
        Another run folder or ``split.json``, whose split of the run's own data is taken.
    snr
        Signal-to-noise ratios in dB; each adds an entry per kind to ``noise``.
    noise
        Kinds of noise, names of `faultdiag.signal.noise.KINDS`.

    Returns
    -------
    As ``metrics.json``: the part's metrics under its name, and ``split``.

    Raises
    ------
    FaultdiagError
        If the part doesn't exist, a ratio is out of range, both `config` and `split` are
        given, the data has changed since training or doesn't fit the model, or there is nothing
        to draw.
    """
    if part not in ALL_PARTS:
        raise unknown("part", part, PARTS)
    for level in snr:
        inference.require_snr(level)
    require_kinds(noise, snr)
    target = inference.select_device(device)
    source = checkpoint.load(run)
    if split is not None:
        config = _split_again(run, source, split, config)
    prepared = run_data(run, source, config)
    if part not in prepared.parts:
        raise FaultdiagError(
            f"there is no part '{part}': it belongs to a run with transfer; there are: "
            f"{', '.join(prepared.parts)}"
        )
    require_fit(source, prepared)
    network, options = source.build(target), _scoring_options(source, target)
    result: Json = {part: evaluate_part(network, prepared, part, **options)}
    described = describe_split(prepared)
    result["split"] = described if config is None else _of_others(described, run, prepared, part)
    if snr:
        result["noise"] = [
            evaluate_noise(network, prepared, part, level, kind, **options)
            for kind in noise
            for level in snr
        ]
    return result


def _scoring_options(source: checkpoint.Checkpoint, device: torch.device) -> Json:
    """Return how the windows of a model are scored, for `evaluate_part` and `evaluate_noise`."""
    return {
        "healthy": source.healthy,
        "device": device,
        "precision": source.precision,
        "normalize": source.normalize,
        "classes": source.classes,
        "temperature": source.temperature,
    }


def require_kinds(kinds: Sequence[str], snr: Sequence[float]) -> None:
    """Check the kinds of noise.

    Raises
    ------
    FaultdiagError
        If a kind is unknown, or no ratio says how much of it is added.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise unknown("noise", kind, KINDS)
    if not snr and tuple(kinds) != ("white",):
        raise FaultdiagError(
            f"--noise is {', '.join(kinds)}, but nothing says how much of it; give --snr, such as "
            "--snr -4"
        )


def _of_others(split: Document, run: Path, prepared: Prepared, part: str) -> Json:
    """Return what a model has seen of other data; their own training part doesn't tell."""
    own = {"pairs", "leak", "leak_by_class", "duplicates"}
    kept = {key: value for key, value in split.items() if key not in own}
    return {**kept, "seen_windows": _seen(run, prepared, part)}


def _seen(run: Path, prepared: Prepared, part: str) -> float | None:
    """Share of the windows that the model knows; None where nothing says what it was trained on."""
    folder = run if run.is_dir() else run.parent
    if not (folder / "split.json").is_file():
        return None
    return seen_share(read_split(folder), prepared, part)


def run_data(run: Path, source: checkpoint.Checkpoint, config: Config | None = None) -> Prepared:
    """Return the prepared data of a run, or of another config.

    Raises
    ------
    FaultdiagError
        If the data can't be prepared, or the run's own has changed since its training.
    """
    if config is not None:
        return prepare(config)
    prepared = prepare(parse_config(source.config, f"the config in {run}"))
    folder = run if run.is_dir() else run.parent
    if (folder / "split.json").is_file():
        same_recordings(read_split(folder), prepared)
    return prepared


def _split_again(
    run: Path, source: checkpoint.Checkpoint, split: Path, config: Config | None
) -> Config:
    """Return the config of a run with the split of a file in place of its own."""
    if config is not None:
        raise FaultdiagError(
            "--split takes another split of the run's own data and --config other data; give one "
            "of the two, or write split: {strategy: file, path: …} in that config"
        )
    section = {"strategy": "file", "path": str(split)}
    return parse_config({**source.config, "split": section}, f"the config in {run}")
