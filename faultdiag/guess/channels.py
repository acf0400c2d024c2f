"""Choose the channel to train on by what each channel's samples look like.

A name helps where several channels look like vibration, and never decides alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import FILE_TIMEOUT, list_variables, open_recording, reader_errors
from faultdiag.signal.kinds import SignalKind, signal_kind

# Files whose samples are looked at, and samples of each.
MOST_FILES = 8
MOST_SAMPLES = 2**17

# Beginnings of words, in lower case: of vibration, and of what else is recorded beside it.
_VIBRATION = (
    *("acc", "vib", "beschl", "schwing", "körperschall", "accél", "accel", "aceler", "vibr"),
    *("振动", "振動", "加速度", "震动", "진동", "가속도", "вибр", "ускор", "titreş", "ivme"),
)
_OTHER = (
    *("rpm", "speed", "drehzahl", "vitesse", "velocidad", "转速", "速度计", "оборот", "скорост"),
    *("tacho", "key", "phasor", "trigger", "puls", "encoder", "angle", "winkel", "角度"),
    *("temp", "温度", "температур", "load", "last", "force", "kraft", "carga", "charge", "载荷"),
    *("负载", "нагруз", "torque", "drehmoment", "moment", "couple", "扭矩", "转矩", "current"),
    *("strom", "courant", "corriente", "电流", "ток", "volt", "spannung", "tension", "电压"),
    *("press", "druck", "压力", "label", "class", "klasse", "标签", "类别", "time", "zeit"),
    *("时间", "время", "index", "sample", "序号", "mic", "sound", "schall", "声", "humid", "power"),
)


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """The channels to train on, and why these."""

    channels: tuple[str, ...]
    reason: str


def choose_channel(paths: Sequence[Path], names: Sequence[str]) -> ChannelChoice:
    """Return the one channel among these that is a vibration in most of the files.

    Parameters
    ----------
    paths
        Files that have all of these channels; some are looked at.
    names
        The channels.

    Raises
    ------
    FaultdiagError
        If no channel looks like a vibration, or several do; the message says what to answer.
    """
    step = -(-len(paths) // MOST_FILES)
    kinds = channel_kinds(paths[::step], names)
    left_out = _no_channels(paths[0])
    left_out |= {name: kind.reason for name, kind in kinds.items() if not kind.is_vibration}
    plausible = [name for name in names if name not in left_out]
    others = [name for name in plausible if _begins(name, _OTHER) and not _is_vibration(name)]
    if others:
        left_out |= dict.fromkeys(others, "is named as another quantity")
        plausible = [name for name in plausible if name not in others]
    named = [name for name in plausible if _is_vibration(name)]
    if named and len(named) < len(plausible):
        left_out |= {n: "isn't named as a vibration" for n in plausible if n not in named}
        plausible = named
    why = "; ".join(f"{name} {reason}" for name, reason in left_out.items())
    if len(plausible) == 1:
        rest = f"; left out: {why}" if why else ""
        return ChannelChoice((plausible[0],), f"it varies like a vibration{rest}")
    if not plausible:
        raise FaultdiagError(
            f"no channel of {paths[0].name} looks like a vibration: {why}; if one of them is, "
            f"name it with --channel, such as --channel '{names[0]}'"
        )
    rest = f" (left out: {why})" if why else ""
    raise FaultdiagError(
        f"{len(plausible)} channels look like vibration: {', '.join(plausible)}{rest}; say which "
        f"to train on: --channel '{plausible[0]}', or several: --channel '{','.join(plausible)}'"
    )


_REASONS = {
    "number": "is a clock or a counter",
    "clock": "holds times of the day",
    "text": "holds text",
}


def _no_channels(path: Path) -> dict[str, str]:
    """Return the columns of a table that its reader takes for no channel, and why."""
    try:
        columns = [v for v in list_variables(path) if v.channel is None]
    except FaultdiagError:
        return {}
    return {v.name: _REASONS[v.kind] for v in columns if v.kind in _REASONS}


def channel_kinds(paths: Sequence[Path], names: Sequence[str]) -> dict[str, SignalKind]:
    """Return what each channel looks like in most of the files; unreadable ones are left out."""
    votes: dict[str, list[SignalKind]] = {name: [] for name in names}
    for path in paths:
        for name, samples in _samples(path, names).items():
            votes[name].append(signal_kind(samples))
    kinds = {}
    for name, found in votes.items():
        against = [kind for kind in found if not kind.is_vibration]
        most = 2 * len(against) >= len(found)
        kinds[name] = against[0] if against and most else SignalKind("vibration", "")
    return kinds


def _samples(path: Path, names: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    try:
        with reader_errors(path, FILE_TIMEOUT):
            source = open_recording(path, channel=names)
            block = source.read(0, min(source.samples, MOST_SAMPLES))
        return dict(zip(names, block, strict=True))
    except FaultdiagError:
        if len(names) == 1:
            return {}
    # Channels of one file may differ in length or rate.
    return {name: samples for one in names for name, samples in _samples(path, [one]).items()}


def _is_vibration(name: str) -> bool:
    # CWRU's drive end, fan end and base, and axes such as a_x.
    return _begins(name, _VIBRATION) or bool(
        re.fullmatch(r"(?i)de|fe|ba|a[_ ]?[xyz]", name.strip())
    )


def _begins(name: str, beginnings: Sequence[str]) -> bool:
    words = re.split(r"[^\w]+|_|\d+|(?<=[a-z])(?=[A-Z])", name)
    return any(word.lower().startswith(tuple(beginnings)) for word in words if word)
