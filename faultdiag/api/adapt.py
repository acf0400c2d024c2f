"""Adapt a finished run to unlabelled recordings."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from faultdiag import inference
from faultdiag.api.train import ConfigLike, as_config
from faultdiag.baselines import BASELINES
from faultdiag.checkpoint import Checkpoint, load
from faultdiag.config.schema import Config, TransferConfig, parse_config
from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import read_split, require_fit, same_recordings
from faultdiag.prediction.diagnoser import load as load_diagnoser
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.targets import read_target
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.signal.bearings import get_bearing
from faultdiag.system.crashes import memory_errors
from faultdiag.system.terminal import note
from faultdiag.training.adaptation import NO_METHOD, require_method
from faultdiag.training.adapting import (
    AdaptedRun,
    adapt_model,
    adapted_metrics,
    choose_method,
    needs_source,
    write_adapted,
)
from faultdiag.training.guard import refusal
from faultdiag.training.run_folder import claim_new
from faultdiag.training.specs import less_memory

# Passes of an adaptation, unless the user says how many.
EPOCHS = 6


def adapt(
    run: Path | str,
    paths: Sequence[Path | str] | Path | str,
    *,
    out: Path | str,
    method: str | None = None,
    config: ConfigLike | None = None,
    settings: Document | None = None,
    epochs: int | None = None,
    force: bool = False,
    channel: str | None = None,
    sampling_rate: float | None = None,
    rpm: float | None = None,
    bearing: str | None = None,
    override_rate: bool = False,
    pattern: str | None = None,
    device: str = "auto",
) -> AdaptedRun:
    """Adapt a trained run to unlabelled recordings and write the adapted run.

    With the recordings that it was trained on at hand, any transfer method can adapt it; without
    them those that need the model and the target alone, ``shot`` and ``adabn``.

    Parameters
    ----------
    run
        Run folder or checkpoint.
    paths
        Recordings, folders of them, or manifests; labels are not read.
    out
        The run folder to write.
    method
        A transfer method; by default the config's, else ``mk_mmd_mcc``, or without the source's
        recordings ``shot``.
    config
        A config whose ``data`` and ``split`` are those of the source's recordings, and whose
        ``train`` and ``transfer`` say how to adapt; by default the run's own.
    settings
        Settings of that config to change, such as ``{"transfer.weight": 2.0}``.
    epochs
        How long to adapt: passes over the source's windows, or without them over the target's.
        Unless given, ``transfer.steps`` of the config, or 6 where it has none.
    force
        Keep the adapted model even if agreement within recordings falls by more than 5 points.
    channel, sampling_rate, rpm, bearing
        Of recordings that don't state them, as for `faultdiag.predict`.
    override_rate
        Let `sampling_rate` and `rpm` win where recordings state others.
    pattern
        Which files of folders.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    FaultdiagError
        If the guard refuses the adapted model, in which case nothing is written; if the model
        can't be adapted so, the target has no recording that it takes, or `out` exists.
    """
    adapted = try_adapt(
        run,
        [paths] if isinstance(paths, Path | str) else paths,
        out=Path(out),
        method=method,
        config=None if config is None else as_config(config),
        settings=settings or {},
        epochs=epochs,
        force=force,
        request=ReadRequest(Path(), channel, sampling_rate, rpm, bearing, override_rate),
        pattern=pattern,
        device=device,
    )
    if adapted.refused:
        raise FaultdiagError(refused_text(adapted))
    return adapted


def refused_text(adapted: AdaptedRun) -> str:
    """Return why an adapted model was refused, and what can be done."""
    return (
        f"{refusal(adapted.metrics['transfer'])}, so {adapted.folder} was not written; keep it all "
        "the same with --force"
    )


def try_adapt(
    run: Path | str,
    paths: Sequence[Path | str],
    *,
    out: Path,
    method: str | None,
    config: Config | None,
    settings: Document,
    epochs: int | None,
    force: bool,
    request: ReadRequest,
    pattern: str | None,
    device: str,
) -> AdaptedRun:
    """Adapt as `adapt` does; where the guard refuses the model, return without writing."""
    on_device = inference.select_device(device)
    source = _loaded(Path(run))
    if request.bearing:
        get_bearing(request.bearing)
    own = as_config(config or parse_config(source.config, f"the config in {run}"), settings)
    method = method or _of_config(own)
    prepared, chosen, why = _choose(Path(run), source, own, method, named=config is not None)
    own = _with_method(own, chosen, force=force, by_steps=epochs is None)
    require_method(own)
    with claim_new(out, "--out"), TemporaryDirectory() as temporary:
        target = read_target(
            [Path(path) for path in paths],
            request,
            source,
            load_diagnoser(Path(run), device="cpu").input,
            folder=Path(temporary),
            known=_trained_on(Path(run)),
            pattern=pattern,
        )
        note(f"adapting with {why}")
        domains = (own, target, prepared)
        with memory_errors("adapt", less_memory(own)):
            adapted, verdict, history = adapt_model(
                source, *domains, device=on_device, epochs=epochs or EPOCHS
            )
        adapted = replace(adapted, epoch=max(len(history), 1), metrics=_last(history))
        metrics = adapted_metrics(adapted, *domains, verdict, device=on_device)
        result = AdaptedRun(out, metrics, adapted, history, why)
        if not result.refused:
            split = _split_of(Path(run))
            write_adapted(out, source, result, config=own, split=split, device=on_device)
    return result


def _choose(
    run: Path, source: Checkpoint, config: Config, method: str | None, *, named: bool
) -> tuple[Prepared | None, str, str]:
    """Return the source's data where they are at hand, the method to adapt with, and why."""
    prepared, missing = _source_data(run, source, config, named=named)
    if missing is not None and named and (method is None or needs_source(method)):
        raise FaultdiagError(missing)
    return prepared, *choose_method(method, missing)


def _loaded(run: Path) -> Checkpoint:
    """Read the model to adapt, which must be a network with weights to change."""
    if run.suffix.lower() == ".onnx":
        raise FaultdiagError(
            f"{run} is an export, which can't be trained further; give the run folder that it was "
            "exported from, or its best.pt"
        )
    source = load(run)
    if source.model_spec.name in BASELINES:
        raise FaultdiagError(
            f"{run} holds the baseline '{source.model_spec.name}', which has no features to adapt; "
            "train a network, such as model: {name: wdcnn}, and adapt that"
        )
    return source


def _last(history: Sequence[Document]) -> Document:
    return history[-1] if history else {}


def _of_config(config: Config) -> str | None:
    """Return the method that a config names, if it does so."""
    if config.transfer is None or config.transfer.method == NO_METHOD:
        return None
    return config.transfer.method


def _with_method(config: Config, method: str, *, force: bool, by_steps: bool) -> Config:
    """Return the config with this method; options of another one are left out.

    Parameters
    ----------
    by_steps
        Whether the config's number of steps holds; without one, and else, it is epochs.
    """
    before = config.transfer
    if before is None or before.method != method:
        fields = (
            {} if before is None else before.model_dump(include=set(TransferConfig.model_fields))
        )
        before = TransferConfig(**{**fields, "method": method, "start_epoch": None, "target": None})
    guard = "none" if force else before.guard
    changes: Json = {"guard": guard, "start_epoch": None, "target": None}
    if not by_steps:
        changes["steps"] = None
    return config.model_copy(update={"transfer": before.model_copy(update=changes)})


def _source_data(
    run: Path, source: Checkpoint, config: Config, *, named: bool
) -> tuple[Prepared | None, str | None]:
    """Return the recordings that a model was trained on, or why they are not at hand."""
    if not source.config.get("transfer"):
        # It was trained on all parts of its split, whatever the section says of adapting now.
        config = config.model_copy(update={"transfer": None})
    try:
        prepared = prepare(config)
        require_fit(source, prepared)
        if not named and (split := _split_of(run)) is not None:
            same_recordings(split, prepared)
    except FaultdiagError as error:
        return None, " ".join(str(error).split())
    if prepared.classes != source.classes:
        return None, (
            f"they have the classes {', '.join(prepared.classes)}, the model "
            f"{', '.join(source.classes)}"
        )
    return prepared, None


def _folder(run: Path) -> Path:
    return run if run.is_dir() else run.parent


def _split_of(run: Path) -> Json | None:
    path = _folder(run) / "split.json"
    if not path.is_file():
        return None
    document: Json = parse_json(path.read_text(encoding="utf-8"))
    return document


def _trained_on(run: Path) -> frozenset[str]:
    """Return the digests of the recordings that a run was trained on, as far as it says so."""
    with suppress(FaultdiagError):
        split = read_split(_folder(run))
        used = {segment[0] for part in ("train", "valid") for segment in split["parts"][part]}
        return frozenset(split["recordings"][number]["sha256"] for number in used)
    return frozenset()
