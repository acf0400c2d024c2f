"""The order of training windows, balanced or not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.training.step import balanced, class_weights, shuffled

Labels = st.lists(st.integers(0, 4), min_size=1, max_size=200)


@given(labels=Labels, seed=st.integers(0, 99), epoch=st.integers(1, 9))
def test_a_balanced_order_has_every_class_equally_often(
    labels: list[int], seed: int, epoch: int
) -> None:
    array = np.array(labels, dtype=np.int16)
    order = balanced(array, seed, epoch).numpy()
    assert len(order) == len(labels)
    drawn = np.bincount(array[order], minlength=5)[np.unique(array)]
    assert drawn.max() - drawn.min() <= 1
    for label in np.unique(array):
        times = np.bincount(order[array[order] == label], minlength=len(labels))[array == label]
        # A class comes whole before any of it comes again.
        assert times.max() - times.min() <= 1
    assert torch.equal(balanced(array, seed, epoch), torch.from_numpy(order))


@given(labels=Labels, seed=st.integers(0, 99))
def test_an_order_balanced_by_recordings_has_every_recording_of_a_class_equally_often(
    labels: list[int], seed: int
) -> None:
    array = np.array(labels)
    recordings = array * 10 + np.arange(len(array)) ** 2 % 3  # up to three of each class
    order = balanced(array, seed, 1, groups=recordings).numpy()
    assert len(order) == len(labels)
    for label in np.unique(array):
        own = np.unique(recordings[array == label])
        counts = np.bincount(recordings[order], minlength=50)[own]
        assert counts.max() - counts.min() <= 1
        for recording in own:
            members = recordings == recording
            times = np.bincount(order, minlength=len(labels))[members]
            assert times.max() - times.min() <= 1


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    labels = np.repeat(np.arange(3), 40)
    orders = [balanced(labels, seed, epoch) for seed in (0, 1) for epoch in (1, 2)]
    orders.append(shuffled(120, 0, 1).to(orders[0].dtype))
    assert len({tuple(order.tolist()) for order in orders}) == 5


@settings(deadline=None)  # the first example imports scikit-learn
@given(labels=Labels)
def test_weights_are_scikit_learns(labels: list[int]) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    array = np.array(labels)
    present = np.unique(array)
    ours = class_weights(array, 5).numpy()
    theirs = compute_class_weight("balanced", classes=present, y=array)
    assert ours[present] == pytest.approx(theirs)
    assert (ours[np.setdiff1d(np.arange(5), present)] == 1).all()
