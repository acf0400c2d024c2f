"""The rule that needs no training: the part whose lines stand out most is the faulty one."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faultdiag.arrays import Floats, Integers
from faultdiag.baselines.baseline import Baseline
from faultdiag.errors import FaultdiagError

HEALTHY = "healthy"
MEANING = {
    **dict.fromkeys(("n", "normal", "healthy"), HEALTHY),
    **dict.fromkeys(("ir", "inner"), "bpfi"),
    **dict.fromkeys(("or", "outer"), "bpfo"),
    **dict.fromkeys(("b", "ball"), "bsf"),
}
THRESHOLD = 4.0
QUANTILE = 0.99
FEWEST_HEALTHY = 100


class Physics(Baseline):
    """The part with the largest whitened score, or healthy if none reaches a threshold.

    A part's score is the largest over channels of ``whitened.<part>.largest``. At one slip and in
    one band it is about normal in noise, so with thirteen bands, three parts and some sixteen
    slips at most ``624 * 3.2e-5 = 2 %`` of windows of 1 s reach 4. Bands overlap and the lower
    tail is the heavy one: of 12,300 windows of Gaussian noise, 0.2 to 4 s long at 12 kHz and
    1800 rpm, 99.9 % stayed below 3.3 and all below 4. If the training part has a hundred healthy
    windows or more, the threshold is what 99 % of them stay below instead. Nothing else is learnt,
    and it can be used without `fit`.

    Probabilities are the softmax of the scores and, for healthy, the threshold: they rank
    windows, they are not calibrated. Races are found nearly always, balls hardly ever: a spot on
    a ball meets the races only at times.

    Parameters
    ----------
    features
        See `Baseline`.
    classes
        Each the code or name of a part: N, IR, B, OR, or normal, inner, ball, outer. Without a
        healthy class there is no threshold.
    threshold
        Score below which a window is healthy; None for the above.

    Raises
    ------
    FaultdiagError
        If a class says more, or other, than the part, or the features have no shaft orders.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech.
       Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
    """

    name = "physics"
    reference = "fault orders as in Randall and Antoni 2011, doi:10.1016/j.ymssp.2010.07.017"
    types: ClassVar = ()
    not_exported = "it is a rule on scores and no classifier of scikit-learn"
    needs_orders = True

    def __init__(
        self,
        features: Sequence[str],
        classes: Sequence[str],
        *,
        threshold: Annotated[float, Field(gt=0)] | None = None,
    ) -> None:
        super().__init__(features, classes)
        self.threshold = threshold
        self.meaning = _meaning(self.classes)
        self.scored = {part: _scored(self.features, part) for part in ("bpfi", "bpfo", "bsf")}
        self.model = THRESHOLD if threshold is None else float(threshold)

    def train(self, x: Floats, labels: Integers, _seed: int) -> float:
        """Return the threshold: of healthy windows, if there are enough and none was given."""
        healthy = [i for i, part in enumerate(self.meaning) if part == HEALTHY]
        rows = x[np.isin(labels, healthy)]
        if self.threshold is not None or len(rows) < FEWEST_HEALTHY:
            return THRESHOLD if self.threshold is None else float(self.threshold)
        largest = np.max(list(self._scores(rows).values()), axis=0)
        return float(np.quantile(largest, QUANTILE))

    def present(self, _model: float) -> Integers:
        """Return all classes: none needs a training window."""
        return np.arange(len(self.classes))

    def evaluate(self, model: float, x: Floats) -> Floats:
        """Return the softmax of scores and threshold."""
        scores = self._scores(x)
        scores[HEALTHY] = np.full(len(x), model)
        table = np.stack([scores[part] for part in self.meaning], axis=1)
        powers = np.exp(table - table.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def problem(self, model: float) -> str:
        """Return the fault of a stored threshold."""
        number = isinstance(model, float) and np.isfinite(model)
        return "" if number else f"its threshold is {model!r}"

    def _scores(self, x: Floats) -> dict[str, Floats]:
        return {part: x[:, columns].max(axis=1) for part, columns in self.scored.items()}


def _meaning(classes: Sequence[str]) -> list[str]:
    """Part of the bearing that each class names."""
    other = [name for name in classes if name.lower() not in MEANING]
    if other:
        raise FaultdiagError(
            "baseline 'physics' names the faulty part of a bearing: its classes can be N, IR, B "
            f"and OR (or normal, inner, ball, outer); found {', '.join(other)}; let data.label "
            "name the part alone, as '{code}' does for CWRU, or use another baseline"
        )
    meaning = [MEANING[name.lower()] for name in classes]
    if len(set(meaning)) < len(meaning):
        raise FaultdiagError(
            f"two of the classes {', '.join(classes)} mean the same part to baseline 'physics'; "
            "let data.label name each part once"
        )
    return meaning


def _scored(features: Sequence[str], part: str) -> NDArray[np.intp]:
    """Columns that hold the part's scores, one per channel."""
    columns = [i for i, name in enumerate(features) if name.startswith(f"whitened.{part}.largest[")]
    if not columns:
        raise FaultdiagError(
            f"baseline 'physics' needs the feature whitened.{part}.largest, which is computed "
            "where shaft speed and bearing are known; the features are of: "
            f"{', '.join(dict.fromkeys(name.split('.')[0] for name in features)) or 'nothing'}"
        )
    return np.array(columns)
