"""From a config to the specification of the model that is trained."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultdiag import models
from faultdiag.baselines import BASELINES
from faultdiag.config.schema import Config
from faultdiag.errors import FaultdiagError
from faultdiag.models.baseline import build_baseline, sees_features
from faultdiag.preparing.folder import Prepared, PreparedRecording
from faultdiag.signal.bearings import BEARINGS, KnownBearing, get_bearing

MOST_NAMED = 5
GIVE = "give model.bearing: its name, or balls,ball_diameter,pitch_diameter"


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why there are no shaft orders, and what would help."""

    reason: str
    remedy: str


def baseline_spec(
    name: str, options: Mapping[str, Any], prepared: Prepared
) -> tuple[dict[str, Any], list[str]]:
    """Return what a checkpoint needs to rebuild a baseline, and notes on its features.

    The fault orders are those of the option ``bearing``, else of the bearing that all training
    recordings name. Without one, or if a recording has no shaft speed, the baseline sees no orders
    and a note says so.

    Parameters
    ----------
    name
        A name of `faultdiag.baselines.BASELINES`.
    options
        As in the config.
    prepared
        The data to fit it on.

    Raises
    ------
    FaultdiagError
        If it needs the orders, or a bearing was given for them, and there are none; if its options
        or classes are invalid.
    """
    spec = {
        "name": name,
        "channels": len(prepared.channels),
        "classes": len(prepared.classes),
        "length": prepared.length,
        "attention": None,
        "representation": "raw",
        "sampling_rate": prepared.sampling_rate,
        "options": dict(options),
        "names": {"channels": list(prepared.channels), "classes": list(prepared.classes)},
    }
    if not sees_features(name):
        return spec, []
    bearing, note = _choose(name, options, prepared)
    spec["options"] = {**options, "bearing": bearing}
    return spec, [note] if note else []


def _choose(name: str, options: Mapping[str, Any], prepared: Prepared) -> tuple[str | None, str]:
    """Return the bearing, or None for no orders, and a note on it."""
    # Built for any bearing, it shows whether it uses orders.
    trial = build_baseline(
        name,
        prepared.channels,
        prepared.classes,
        sampling_rate=prepared.sampling_rate,
        **{**options, "bearing": next(iter(BEARINGS))},
    )
    if not trial.needs_speed:
        return None, ""
    bearing = _bearing(options.get("bearing"), prepared)
    if not isinstance(bearing, _Fault):
        return bearing.name, _others(bearing, prepared.recordings)
    if options.get("bearing") is not None:
        raise FaultdiagError(
            f"model.bearing is given for the shaft orders of '{name}', but {bearing.reason}; "
            f"{bearing.remedy}, or leave model.bearing out"
        )
    if trial.baseline.needs_orders:
        raise FaultdiagError(
            f"baseline '{name}' looks at shaft orders, but {bearing.reason}; {bearing.remedy}, or "
            "choose one that can do without, such as random_forest"
        )
    return None, f"{name} sees no shaft orders, because {bearing.reason}; {bearing.remedy}"


def _bearing(given: str | int | None, prepared: Prepared) -> KnownBearing | _Fault:
    silent = [recording.name for recording in prepared.recordings if recording.rpm is None]
    if silent:
        return _Fault(
            f"the shaft speed of {_some(silent)} is unknown", "leave them out with data.select"
        )
    if given is not None:
        return get_bearing(str(given))
    trained = prepared.windows.of("train").by_recording()
    named = sorted({_named(prepared.recordings[number]) for number in trained})
    if len(named) > 1:
        shown = _some([each or "none" for each in named])
        return _Fault(f"the training recordings name several bearings ({shown})", GIVE)
    if not named[0]:
        return _Fault("no training recording names its bearing", GIVE)
    try:
        return get_bearing(named[0])
    except FaultdiagError as error:
        return _Fault(f"of the bearing that all training recordings name: {error}", GIVE)


def _named(recording: PreparedRecording) -> str:
    """Return the name of a recording's bearing, in one spelling if it is known; "" without one."""
    name = str(recording.facts.get("bearing") or "")
    try:
        return get_bearing(name).name
    except FaultdiagError:
        return name


def _others(bearing: KnownBearing, recordings: Sequence[PreparedRecording]) -> str:
    """Return a note on the recordings of another bearing than the one looked for."""
    strange = [r.name for r in recordings if _named(r) not in {"", bearing.name}]
    if not strange:
        return ""
    return (
        f"the fault orders of bearing {bearing.name} are looked for in all recordings, but "
        f"{_some(strange)} name another bearing"
    )


def _some(names: Iterable[str]) -> str:
    first = list(names)
    more = f" and {len(first) - MOST_NAMED} more" if len(first) > MOST_NAMED else ""
    return ", ".join(first[:MOST_NAMED]) + more


def check_model(config: Config, classes: int = 2) -> None:
    """Refuse an invalid network, attention slot or baseline before any data is loaded.

    Raises
    ------
    FaultdiagError
        Naming every problem with its place in the config.
    """
    if config.model.name in BASELINES:
        _check_baseline(config)
        return
    models.check(
        config.model.name,
        len(config.data.channels),
        classes,
        length=config.window.length,
        attention=config.model.attention,
        representation=config.model.representation,
        sampling_rate=config.data.sampling_rate,
        options=config.model.options,
    )


def _check_baseline(config: Config) -> None:
    from faultdiag.models.baseline import problems_of

    problems = problems_of(
        config.model.name,
        config.data.channels,
        config.window.length,
        attention=config.model.attention,
        representation=config.model.representation,
        options=config.model.options,
    )
    if problems:
        raise FaultdiagError("\n".join(problems))


def prepared_spec(config: Config, prepared: Prepared) -> tuple[dict[str, Any], list[str]]:
    """Return the specification of the network or baseline for these data, and notes on it.

    Raises
    ------
    FaultdiagError
        If it is a baseline that needs something these data lack.
    """
    if config.model.name in BASELINES:
        return baseline_spec(config.model.name, config.model.options, prepared)
    return model_spec(config, len(prepared.classes)), []


def model_spec(config: Config, classes: int) -> dict[str, Any]:
    """Return what a checkpoint needs to rebuild a network."""
    return {
        "name": config.model.name,
        "channels": len(config.data.channels),
        "classes": classes,
        "length": config.window.length,
        "attention": config.model.attention,
        "representation": config.model.representation,
        "sampling_rate": config.data.sampling_rate,
        "options": config.model.options,
    }
