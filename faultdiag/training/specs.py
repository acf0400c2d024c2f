"""From a config to the specification of the model that is trained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from faultdiag.baselines import BASELINES
from faultdiag.config.schema import Config
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError
from faultdiag.features.extract import EACH
from faultdiag.models.baseline import build_baseline, sees_features
from faultdiag.models.spec import BaselineNames, ModelSpec, parse_spec
from faultdiag.models.zoo import options_for
from faultdiag.preparing.folder import Prepared, PreparedRecording
from faultdiag.signal.bearings import BEARINGS, KnownBearing, get_bearing
from faultdiag.training.adaptation import require_method, require_phases

MOST_NAMED = 5
# Until the data is prepared; the fewest that a network can tell apart.
UNKNOWN_CLASSES = 2
GIVE = "give model.bearing: its name, or balls,ball_diameter,pitch_diameter"


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why there are no shaft orders, and what would help."""

    reason: str
    remedy: str


def baseline_spec(name: str, options: Document, prepared: Prepared) -> tuple[ModelSpec, list[str]]:
    """Return the spec of a baseline for prepared data, and notes on the features it uses.

    The fault orders are those of the option ``bearing``, which may be `EACH`, else of the bearing
    that all training recordings name. Without one, or if a recording has no shaft speed, the
    baseline sees no orders and a note says so.

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
    spec = ModelSpec(
        name,
        len(prepared.channels),
        len(prepared.classes),
        prepared.length,
        prepared.sampling_rate,
        options=options,
        names=BaselineNames(prepared.channels, prepared.classes),
    )
    if not sees_features(name):
        return spec, []
    bearing, note = _choose(name, options, prepared)
    return replace(spec, options={**options, "bearing": bearing}), [note] if note else []


def _choose(name: str, options: Document, prepared: Prepared) -> tuple[str | None, str]:
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
    given = options.get("bearing")
    bearing = _bearing(given, prepared)
    if not isinstance(bearing, _Fault):
        own = given == EACH
        return (EACH, "") if own else (bearing.name, _others(bearing, prepared.recordings))
    if given is not None:
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
    """Return the bearing whose orders are used: the one given, else that of the training.

    Of `EACH` it is that of one recording, if all name a known one.
    """
    silent = [recording.name for recording in prepared.recordings if recording.rpm is None]
    if silent:
        return _Fault(
            f"the shaft speed of {_some(silent)} is unknown", "leave them out with data.select"
        )
    if given == EACH:
        return _own_bearing(prepared)
    return _trained_bearing(prepared) if given is None else get_bearing(str(given))


def _own_bearing(prepared: Prepared) -> KnownBearing | _Fault:
    """Return a recording's bearing, if all recordings name a known one."""
    bearings = {recording.name: recording.bearing for recording in prepared.recordings}
    unknown = [name for name, bearing in bearings.items() if bearing is None]
    if unknown:
        return _Fault(f"the bearing of {_some(unknown)} is unknown", "state it with data.bearing")
    return next(bearing for bearing in bearings.values() if bearing is not None)


def _trained_bearing(prepared: Prepared) -> KnownBearing | _Fault:
    """Return the bearing that all training recordings name."""
    trained = prepared.windows.of("train").by_recording()
    names = sorted({_named(prepared.recordings[number]) for number in trained})
    if len(names) > 1:
        shown = _some([name or "none" for name in names])
        several = f"the training recordings name several bearings ({shown})"
        return _Fault(several, f"{GIVE}, or {EACH} for that of each recording")
    if not names[0]:
        return _Fault("no training recording names its bearing", GIVE)
    try:
        return get_bearing(names[0])
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
        f"{_some(strange)} name another bearing (model.bearing: {EACH} looks for those of each)"
    )


def _some(names: Iterable[str]) -> str:
    first = list(names)
    more = f" and {len(first) - MOST_NAMED} more" if len(first) > MOST_NAMED else ""
    return ", ".join(first[:MOST_NAMED]) + more


def less_memory(config: Config) -> str:
    """Return the settings by which a training takes less memory, and what they are now."""
    return (
        f"use a smaller train.batch_size (it is {config.train.batch_size}), a shorter "
        f"window.length ({config.window.length}) or a smaller network ({config.model.name})"
    )


def resolve_spec(config: Config) -> ModelSpec:
    """Parse and check the network or baseline of a config, before any data is loaded.

    The number of classes is not known yet; `complete_spec` sets it.

    Raises
    ------
    FaultdiagError
        Naming every problem with its place in the config.
    """
    model, channels = config.model, config.data.channels
    require_method(config)
    require_phases(config)
    if model.name in BASELINES:
        _check_baseline(config)
        return ModelSpec(
            model.name,
            len(channels),
            UNKNOWN_CLASSES,
            config.window.length,
            config.data.sampling_rate,
            options=model.options,
        )
    return parse_spec(
        model.name,
        len(channels),
        UNKNOWN_CLASSES,
        length=config.window.length,
        attention=model.attention,
        representation=model.representation,
        sampling_rate=config.data.sampling_rate,
        options=model.options,
        try_out=True,
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


def complete_spec(spec: ModelSpec, prepared: Prepared) -> tuple[ModelSpec, list[str]]:
    """Return the spec for the classes of prepared data, and notes on it.

    Raises
    ------
    FaultdiagError
        If it is a baseline that needs something these data lack.
    """
    if spec.is_baseline:
        return baseline_spec(spec.name, spec.options, prepared)
    options = options_for(spec.name, prepared.classes, spec.options)
    return replace(spec, classes=len(prepared.classes), options=options), []
