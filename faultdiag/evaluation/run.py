"""Evaluate a trained run on its own split or on other data."""

from collections.abc import Sequence
from pathlib import Path

import torch

from faultdiag import checkpoint, inference
from faultdiag.config.schema import Config, parse_config
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.evaluation.evaluate import (
    describe_split,
    evaluate_noise,
    evaluate_part,
    read_split,
    require_fit,
    same_recordings,
    seen_share,
)
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.signal.noise import KINDS
from faultdiag.splits.within import ALL_PARTS, PARTS


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
        config = _split_anew(run, source, split, config)
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
    """Return what a model has seen of other data, whose own training part says nothing of it."""
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


def _split_anew(
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
