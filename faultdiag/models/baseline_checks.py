"""What of a baseline in a config can be refused before data is loaded."""

from collections.abc import Mapping, Sequence
from typing import Any

from faultdiag import features
from faultdiag.baselines import BASELINES
from faultdiag.bearings import get_bearing
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.models.baseline import build_baseline, sees_features

# Any will do to find out which columns there are when the bearing is known.
SOME_BEARING = "6205"


def known_options(name: str) -> dict[str, Any]:
    """Give every option of a baseline in a config, with its default."""
    found = {option.name: option.default for option in BASELINES.options(name).values()}
    return found | ({"bearing": None} if sees_features(name) else {})


def minimum_length(name: str) -> int:
    """Give the shortest window in samples."""
    return features.SHORTEST if sees_features(name) else 1


def problems_of(
    name: str,
    channels: Sequence[str],
    length: int,
    *,
    attention: Any,
    representation: Any,
    options: Mapping[str, Any],
) -> list[str]:
    """Give every problem of a baseline in a config that shows before data is loaded.

    Each begins with its place in the config. Which classes there are is not known yet.
    """
    problems = _option_problems(name, channels, options)
    if attention is not None:
        problems.append(
            f"model.attention is given, but '{name}' is a baseline and has no place for it; leave "
            "it out (--set model.attention=null)"
        )
    if representation not in (None, "raw", {"name": "raw"}):
        problems.append(
            f"model.representation is given, but '{name}' is a baseline and looks at features of "
            "the raw windows; leave it out (--set model.representation=raw)"
        )
    shortest = minimum_length(name)
    if length < shortest:
        problems.append(
            f"window.length is {length} samples; baseline '{name}' needs {shortest} or more"
        )
    return problems


def _option_problems(name: str, channels: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    problems = []
    known = known_options(name)
    for key, value in options.items():
        try:
            if key not in known:
                raise FaultdiagError(
                    f"baseline '{name}' has no option '{key}'{did_you_mean(key, known)}; it has: "
                    f"{', '.join(sorted(known)) or 'none'}"
                )
            _try_option(name, channels, key, value)
        except FaultdiagError as error:
            problems.append(f"model.{key}: {error}")
    return problems


def _try_option(name: str, channels: Sequence[str], key: str, value: Any) -> None:
    if key == "bearing":
        _require_bearing(value)
        return
    some = {"bearing": SOME_BEARING} if sees_features(name) else {}
    # Which classes there are only matters to `physics`, and these are some of its own.
    build_baseline(name, channels, ["N", "IR"], sampling_rate=1.0, **{**some, key: value})


def _require_bearing(value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FaultdiagError(
            f'bearing is {value!r}; write its name, such as "6205", or its geometry, such as '
            '"9,0.3126,1.537"'
        )
    get_bearing(str(value))
