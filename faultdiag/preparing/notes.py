"""What must be said of prepared recordings: what is missing, resampled, left out."""

from collections.abc import Mapping, Sequence

from faultdiag.prepared import PreparedRecording


def taken_by_number(unnamed: Mapping[str, Sequence[str]], asked: Sequence[str]) -> list[str]:
    """Say which recordings call their channels otherwise than the config does."""
    if not unnamed:
        return []
    names = [f"{name} ({', '.join(channels)})" for name, channels in unnamed.items()]
    return [
        f"no channel is called {' or '.join(asked)} in {len(names)} recordings, so theirs were "
        f"taken, being as many: {_some(names)}"
    ]


def rate_notes(
    recordings: Sequence[PreparedRecording], missing: Sequence[str], rate: float
) -> list[str]:
    """Say which recordings are not there, and which were resampled to `rate`."""
    notes = []
    if missing:
        notes.append(
            f"{len(missing)} of the {len(missing) + len(recordings)} recordings selected are not "
            f"in the folder: {_some(missing)}"
        )
    for recorded_at in sorted({r.recorded_at for r in recordings} - {rate}):
        names = [r.name for r in recordings if r.recorded_at == recorded_at]
        empty = f", so empty above {recorded_at / 2:g} Hz" if recorded_at < rate else ""
        notes.append(f"resampled from {recorded_at:g} Hz to {rate:g} Hz{empty}: {_some(names)}")
    return notes


def left_out(recordings: Sequence[PreparedRecording], classes: Sequence[str]) -> list[str]:
    """Say which classes have no recording in the split."""
    lost = sorted({recording.label for recording in recordings} - set(classes))
    if not lost:
        return []
    return [f"{len(classes)} classes are left, because all of {', '.join(lost)} is left out"]


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
