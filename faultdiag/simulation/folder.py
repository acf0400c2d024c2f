"""A folder of simulated recordings in the file layout of Case Western Reserve University."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from faultdiag.errors import FaultdiagError, counted, unknown
from faultdiag.simulation.mark import MARK, simulated_files
from faultdiag.simulation.rig import (
    BEARING,
    LOADS,
    SIZES,
    Case,
    SimulatedRecording,
    cases,
    mounted,
    simulate_recording,
)
from faultdiag.system.files import replacing, write_json
from faultdiag.system.locks import LOCK, own_folder

NOTE = (
    "Simulated by faultdiag, not measured: the physics of a faulty bearing in the file layout of "
    "the Case Western Reserve University Bearing Data Center. Not recordings of that rig, and no "
    "evidence of how well a model does on a real machine."
)
# savemat puts the date of writing here, which would make equal recordings unequal files.
HEADER = b"MATLAB 5.0 MAT-file, simulated by faultdiag".ljust(116)
RANGES = {
    "seconds": (0.1, 300.0),
    "seed": (0, 2**32 - 1),
    "severity": (0.01, 100.0),
    "noise": (0.0, 100.0),
}


def simulate_folder(
    out: Path | str,
    *,
    seconds: float = 10.0,
    seed: int = 0,
    loads: Sequence[int] = (0,),
    sizes: Sequence[str] = SIZES,
    severity: float = 1.0,
    noise: float = 1.0,
    bearing: str = BEARING.name,
    overwrite: bool = False,
    progress: Callable[[Sequence[Case]], Iterable[Case]] = iter,
) -> list[Path]:
    """Write simulated recordings and `simulated.json`, and return the recordings' paths.

    A recording depends on the seed, its number and the settings, not on which others are
    written: equal arguments give equal bytes.

    Parameters
    ----------
    out
        A folder that is empty or doesn't exist yet.
    seconds
        Length of each recording, 0.1 to 300.
    seed
        0 to 2**32 - 1. Another seed is another machine with other bearings.
    loads
        Motor loads in hp, from 0 to 3.
    sizes
        Diameters of the spalls in thousandths of an inch: ``"007"``, ``"014"``, ``"021"``.
    severity
        Factor on the strength of the impacts, 0.01 to 100.
    noise
        Factor on the broadband noise, 0 to 100.
    bearing
        The bearing at the drive end: a name that `faultdiag bearings` lists, or a geometry.
    overwrite
        Replace the recordings of an earlier simulation in `out`.
    progress
        Wraps the list of what is written, such as ``tqdm``.

    Raises
    ------
    FaultdiagError
        If a setting is out of range, the folder holds anything else, or it can't be written.
    """
    out = Path(out)
    numbers = {"seconds": seconds, "seed": seed, "severity": severity, "noise": noise}
    _check_choices(loads, sizes)
    _check_numbers(numbers)
    at_drive_end = mounted(bearing)
    chosen = cases(sorted(set(loads)), sorted(set(sizes)))
    names = [f"{case.number}.mat" for case in chosen]
    with own_folder(out, "choose an empty folder"):
        _make_room(out, names, overwrite=overwrite)
        settings = numbers | {"loads": sorted(set(loads)), "sizes": sorted(set(sizes))}
        settings |= {} if bearing == BEARING.name else {"bearing": bearing}
        # The mark comes first: whatever stops the rest, the files are known to be simulated.
        mark = {"format": 1, "note": NOTE, "settings": settings, "recordings": names}
        write_json(out / MARK, mark)
        try:
            for case in progress(chosen):
                recording = simulate_recording(
                    case,
                    seconds=seconds,
                    seed=seed,
                    severity=severity,
                    noise=noise,
                    bearing=at_drive_end,
                )
                write_mat(out / f"{case.number}.mat", recording)
        finally:
            # A mark with nothing behind it would be in the way of the next simulation.
            if not any((out / name).exists() for name in names):
                (out / MARK).unlink(missing_ok=True)
    return [out / name for name in names]


def write_mat(path: Path, recording: SimulatedRecording) -> None:
    """Write a recording as a MATLAB 5 file: equal recordings give equal bytes."""
    from scipy.io import savemat

    prefix = f"X{recording.case.number:03d}"
    variables = {f"{prefix}_{name}_time": x[:, None] for name, x in recording.channels.items()}
    variables[f"{prefix}RPM"] = np.array([[round(recording.rpm)]], np.uint16)
    with replacing(path) as temporary:
        savemat(str(temporary), variables)
        with temporary.open("r+b") as file:
            file.write(HEADER)


def _check_choices(loads: Sequence[int], sizes: Sequence[str]) -> None:
    for kind, chosen, known in (("load in hp", loads, LOADS), ("spall size", sizes, SIZES)):
        names = [str(k) for k in known]
        for value in chosen:
            if value not in known:
                raise unknown(kind, str(value), names)
        if not chosen:
            raise FaultdiagError(f"no {kind} is given; choose from {', '.join(names)}")


def _check_numbers(numbers: Mapping[str, float]) -> None:
    for name, value in numbers.items():
        low, high = RANGES[name]
        if not low <= value <= high:
            raise FaultdiagError(f"{name} is {value:g}; give {low:.12g} to {high:.12g}")


def _make_room(out: Path, names: Sequence[str], *, overwrite: bool) -> None:
    content = sorted(path.name for path in out.iterdir() if path.name != LOCK)
    if not content:
        return
    ours = simulated_files(out)
    # Without a list of ours every file is another's.
    foreign = content if ours is None else sorted(set(content) & set(names) - set(ours))
    if ours is None or foreign:
        raise FaultdiagError(
            f"{out} holds {foreign[0]}, which was not simulated there and "
            "won't be touched; choose an empty folder"
        )
    if not overwrite:
        raise FaultdiagError(
            f"{out} holds an earlier simulation of {counted(len(ours), 'recording')}; "
            "replace it with --overwrite or choose an empty folder"
        )
    for name in ours:
        (out / name).unlink(missing_ok=True)
