"""Before and after adaptation: agreement, class shares, and which model is kept.

Adaptation can make things worse, and no label says so. What can be seen without labels is how far
the windows of one recording agree on a class: where adaptation pulls a recording apart between
classes that the target doesn't have, that falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch

from faultdiag.checkpoint import load, save
from faultdiag.config.schema import TransferConfig
from faultdiag.documents import Document, Json
from faultdiag.errors import counted
from faultdiag.evaluation import PartLogits, part_reader
from faultdiag.metrics.unlabelled import (
    MovedRecordings,
    PredictionSummary,
    describe_unlabelled,
    moved_recordings,
)
from faultdiag.preparing.folder import Prepared
from faultdiag.splits.within import TARGET_ADAPT
from faultdiag.training.run_folder import ADAPTED, SOURCE

# The most that the agreement may fall, as a share: 5 points.
MOST_LOST = 0.05

# Falls of exactly the limit count as within it, in spite of rounded sums of shares.
ROUNDING = 1e-9

# Share of the recordings that, decided before, may change their class without a warning.
MOST_MOVED = 0.2


@dataclass(frozen=True, eq=False)
class Verdict:
    """The effect of an adaptation on the predictions of the target, and whether its model is kept.

    Parameters
    ----------
    classes
        Names of the classes.
    before, after
        Measures of the target's windows before and after adaptation.
    moved
        Recordings that changed their class.
    guarded
        Whether the adapted model is refused if the agreement falls.
    """

    classes: tuple[str, ...]
    before: PredictionSummary
    after: PredictionSummary
    moved: MovedRecordings
    guarded: bool

    @classmethod
    def of(
        cls,
        classes: Sequence[str],
        before: PredictionSummary,
        after: PredictionSummary,
        *,
        guard: str,
    ) -> Self:
        """Compare the measures of the same windows; `guard` is ``agreement`` or ``none``."""
        moved = moved_recordings(before, after)
        return cls(tuple(classes), before, after, moved, guard == "agreement")

    @property
    def lost(self) -> float:
        """Fall of the agreement, as a share of 1; negative if it rose."""
        return self.before.agreement - self.after.agreement

    @property
    def refused(self) -> bool:
        """Whether the model from before the adaptation is kept."""
        return self.guarded and self.lost > MOST_LOST + ROUNDING

    @property
    def warning(self) -> str | None:
        """Warning for the user, or None."""
        texts = [self._lost_text(), self._moved_text()]
        return "; ".join(text for text in texts if text) or None

    def _lost_text(self) -> str:
        if self.lost <= MOST_LOST + ROUNDING:
            return ""
        return (
            f"agreement within recordings fell from {self.before.agreement:.1%} to "
            f"{self.after.agreement:.1%}: the target probably lacks classes of the source, or is "
            "unlike it beyond what adaptation can bridge"
        )

    def _moved_text(self) -> str:
        count, total = self.moved.unsupported, self.moved.recordings
        if count < MOST_MOVED * total:
            return ""
        return (
            f"{count} of {counted(total, 'recording')} went from one class to another although "
            "at least 90% "
            "of their windows had agreed before: nothing in the target supports that"
        )

    def to_dict(self) -> Json:
        """Return it as plain JSON types, as ``metrics.json`` holds it under ``transfer``."""
        measures: Json = {}
        for name, side in (("before", self.before), ("after", self.after)):
            measures[f"agreement_{name}"] = side.agreement
            measures[f"shares_{name}"] = dict(zip(self.classes, side.shares.tolist(), strict=True))
            measures[f"confusion_{name}"] = side.confusion
            measures[f"information_{name}"] = side.information
        return {
            **measures,
            "moved": self.moved.to_dict(),
            "refused": self.refused,
            "warning": self.warning,
        }


def refusal(measures: Document) -> str:
    """Return the message of a refused adaptation; `measures` are those of `Verdict.to_dict`."""
    before, after = measures["agreement_before"], measures["agreement_after"]
    return (
        f"the adapted model was refused and the model from before is kept: agreement within "
        f"recordings fell from {before:.1%} to {after:.1%}, by more than {100 * MOST_LOST:.0f} "
        "points"
    )


def choose_adapted(
    folder: Path, prepared: Prepared, device: torch.device, transfer: TransferConfig | None
) -> Verdict | None:
    """Write ``best.pt`` of a run folder: the adapted model, or the one from before.

    Returns
    -------
    Verdict | None
        None where nothing was adapted, and ``best.pt`` is as it was.

    Raises
    ------
    FaultdiagError
        If a checkpoint can't be read or written.
    """
    if transfer is None or not (folder / ADAPTED).is_file():
        return None
    before, after = load(folder / SOURCE), load(folder / ADAPTED)
    measures = (measure(part_reader(m, prepared, device)(TARGET_ADAPT)) for m in (before, after))
    verdict = Verdict.of(prepared.classes, *measures, guard=transfer.guard)
    own = prepared.windows.of(TARGET_ADAPT).by_recording()
    note = adapted_note(
        transfer,
        [(prepared.recordings[i].name, prepared.recordings[i].sha256) for i in own],
        sum(map(len, own.values())),
        verdict,
    )
    save(folder / "best.pt", before if verdict.refused else replace(after, transfer=note))
    return verdict


def adapted_note(
    transfer: TransferConfig,
    recordings: Sequence[tuple[str, str]],
    windows: int,
    verdict: Verdict,
) -> Json:
    """Return the record of an adaptation for the checkpoint.

    Parameters
    ----------
    recordings
        Name and SHA-256 of each target recording.
    windows
        How many windows of them it was adapted to.
    """
    return {
        "method": transfer.method,
        "options": dict(transfer.options),
        "weight": transfer.weight,
        "recordings": [{"name": name, "sha256": digest} for name, digest in recordings],
        "windows": windows,
        "agreement_before": verdict.before.agreement,
        "agreement_after": verdict.after.agreement,
    }


def measure(logits: PartLogits) -> PredictionSummary:
    """Return the measures of what a network says of target windows."""
    return describe_unlabelled(logits.logits, logits.recordings)


def chosen_by(transfer: TransferConfig | None, verdict: Verdict) -> str:
    """Return the criterion by which the kept epoch was chosen."""
    if verdict.refused:
        return "the guard: the last epoch before the adaptation"
    if transfer is None or transfer.selection == "last":
        return "the last epoch of the adaptation"
    return f"{transfer.selection} on the target, without labels"
