"""Schedules of the learning rate, as a factor on ``train.learning_rate``.

A schedule is a function of the share of steps done and of the validation losses so far, nothing
else: a resumed training needs no state for it. A schedule is a class and a row of `SCHEDULES`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field

from faultdiag.registry import Registry

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, strict=True)]

# Of the schedules that end where training ends; more epochs would have changed them from the start.
SHAPED = frozenset({"cosine", "one_cycle"})


class Schedule(Protocol):
    """A factor on the learning rate."""

    def __call__(self, done: float, losses: Sequence[float]) -> float:
        """Return the factor.

        Parameters
        ----------
        done
            Share of the steps done, from 0 to 1.
        losses
            Validation loss of each epoch that is finished.
        """


SCHEDULES: Registry[Schedule] = Registry(
    "schedule",
    {
        "constant": "faultdiag.config.schedules:Constant",
        "cosine": "faultdiag.config.schedules:Cosine",
        "one_cycle": "faultdiag.config.schedules:OneCycle",
        "plateau": "faultdiag.config.schedules:Plateau",
    },
)


class Constant:
    """The same learning rate throughout."""

    def __call__(self, done: float, losses: Sequence[float]) -> float:
        """Return 1."""
        del done, losses
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Half a cosine from the full rate down to a share of it.

    Parameters
    ----------
    final
        The share at the end.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR
       2017, arXiv:1608.03983 (without restarts)

    Examples
    --------
    >>> [round(Cosine(final=0.1)(done, []), 3) for done in (0, 0.5, 1)]
    [1.0, 0.55, 0.1]
    """

    final: Share = 0.0

    def __call__(self, done: float, losses: Sequence[float]) -> float:
        """Return ``final + (1 - final) (1 + cos(pi done)) / 2``."""
        del losses
        return _swing(1.0, self.final, done)


@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """Up from a small rate to the full one, then down to nearly 0, each by half a cosine.

    Parameters
    ----------
    rise
        Share of the steps that go up.
    initial, final
        Shares of the full rate at the beginning and at the end.

    References
    ----------
    .. [1] L. N. Smith, N. Topin, "Super-Convergence", arXiv:1708.07120

    Examples
    --------
    >>> [round(OneCycle()(done, []), 3) for done in (0, 0.3, 1)]
    [0.04, 1.0, 0.0]
    """

    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    initial: Share = 0.04
    final: Share = 4e-6

    def __call__(self, done: float, losses: Sequence[float]) -> float:
        """Return the factor of the half that contains `done`."""
        del losses
        if done < self.rise:
            return _swing(self.initial, 1.0, done / self.rise)
        return _swing(1.0, self.final, (done - self.rise) / (1 - self.rise))


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """A smaller rate whenever the validation loss has stopped falling.

    Parameters
    ----------
    factor
        Multiplies the rate each time.
    patience
        Epochs without improvement before that. An epoch improves if its loss is below the least
        so far by more than a ten-thousandth of it.
    floor
        Least factor on the full rate.

    Examples
    --------
    >>> Plateau(patience=2)(0.5, [1.0, 0.5, 0.6, 0.7, 0.8])
    0.5
    """

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Count = 3
    floor: Share = 1e-3

    def __call__(self, done: float, losses: Sequence[float]) -> float:
        """Return the factor after these epochs."""
        del done
        least, waited, result = math.inf, 0, 1.0
        for loss in losses:
            waited = 0 if loss < least * (1 - 1e-4) else waited + 1
            least = min(least, loss)
            if waited > self.patience:
                result, waited = max(result * self.factor, self.floor), 0
        return result


def with_warm_up(
    schedule: Schedule, *, step: int, steps: int, warm_up: int, losses: Sequence[float]
) -> float:
    """Return the factor at a step: rising evenly during the warm-up, then the schedule's.

    Parameters
    ----------
    step, steps
        The step that comes, counted from 0, and how many there are in all.
    warm_up
        Steps of the warm-up; the schedule takes the rest.

    Examples
    --------
    >>> [with_warm_up(Cosine(), step=i, steps=6, warm_up=2, losses=[]) for i in (0, 1, 2, 4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if step < warm_up:
        return (step + 1) / warm_up * schedule(0.0, losses)
    return schedule((step - warm_up) / max(steps - warm_up, 1), losses)


def _swing(first: float, last: float, done: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
