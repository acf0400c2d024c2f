"""Schedules of the learning rate, beside torch's own."""

import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.config.schedules import SCHEDULES, with_warm_up
from faultdiag.config.schema import build_schedule, schedule_problems
from faultdiag.errors import FaultdiagError


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def rates_of(scheduler: Any, one: torch.optim.Optimizer, steps: int) -> list[float]:
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch wants the optimizer to step first
        for _ in range(steps):
            rates.append(one.param_groups[0]["lr"])
            scheduler.step()
    return rates


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_is_torchs(final: float) -> None:
    one = optimizer()
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(one, T_max=40, eta_min=final)
    ours = SCHEDULES.build("cosine", final=final)
    assert rates_of(peer, one, 40) == pytest.approx([ours(i / 40, []) for i in range(40)])


def test_one_cycle_is_torchs() -> None:
    one = optimizer()
    # torch counts to its last step, which has the final rate; ours would come one later.
    peer = torch.optim.lr_scheduler.OneCycleLR(one, max_lr=1.0, total_steps=101, pct_start=0.3)
    rates = rates_of(peer, one, 101)
    ours = SCHEDULES.build("one_cycle", rise=29.3 / 100)  # torch goes up for 0.3 * 101 - 1 steps
    assert rates == pytest.approx([ours(i / 100, []) for i in range(101)], abs=1e-12)


@given(losses=st.lists(st.floats(0.01, 2), min_size=1, max_size=40), patience=st.integers(1, 4))
def test_plateau_is_torchs(losses: list[float], patience: int) -> None:
    one = optimizer()
    peer = torch.optim.lr_scheduler.ReduceLROnPlateau(
        one, factor=0.5, patience=patience, min_lr=0.1
    )
    ours = SCHEDULES.build("plateau", factor=0.5, patience=patience, floor=0.1)
    for number, loss in enumerate(losses, start=1):
        peer.step(loss)
        assert one.param_groups[0]["lr"] == pytest.approx(ours(0.0, losses[:number]))


@given(
    name=st.sampled_from(sorted(SCHEDULES)), steps=st.integers(1, 50), warm_up=st.integers(0, 60)
)
def test_a_factor_is_never_above_one_and_the_warm_up_rises(
    name: str, steps: int, warm_up: int
) -> None:
    schedule = SCHEDULES.build(name)
    factors = [
        with_warm_up(schedule, step=i, steps=steps, warm_up=warm_up, losses=[])
        for i in range(steps)
    ]
    assert all(0 <= factor <= 1 for factor in factors)
    rising = factors[: min(warm_up, steps)]
    assert rising == sorted(rising)
    if 0 < warm_up <= steps:
        assert factors[warm_up - 1] == schedule(0.0, [])


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_every_option_of_a_schedule_changes_something(name: str) -> None:
    losses = [1.0, 0.5, *[0.6] * 20]
    values = {"final": 0.5, "rise": 0.6, "initial": 0.5, "factor": 0.9, "patience": 7, "floor": 0.7}
    before = [SCHEDULES.build(name)(i / 20, losses) for i in range(21)]
    for option in SCHEDULES.options(name):
        changed = SCHEDULES.build(name, **{option: values[option]})
        assert [changed(i / 20, losses) for i in range(21)] != before, option


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("cosin", r"train\.schedule: unknown schedule 'cosin' \(did you mean 'cosine'\?\)"),
        ({"final": 0.1}, r"train\.schedule: unknown schedule ''"),
        (
            {"name": "cosine", "fianl": 0.1},
            r"train\.schedule\.fianl: schedule 'cosine' has no option 'fianl' \(did you mean",
        ),
        ({"name": "one_cycle", "rise": 1.5}, r"train\.schedule\.rise: .* less than 1"),
    ],
)
def test_what_is_no_schedule(schedule: Any, message: str) -> None:
    (problem,) = schedule_problems({"schedule": schedule})
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(problem)


def test_building_one_that_is_not_there() -> None:
    with pytest.raises(FaultdiagError, match="unknown schedule 'warm'"):
        build_schedule("warm")
