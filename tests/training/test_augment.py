"""Windows changed at random: what changes, by how much, and that no border is crossed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.inference import WindowBatches
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.training.augment import Augmentation, Ranges, stretched
from tests.data_fixtures import tiny_config

CPU = torch.device("cpu")
OPTIONS: dict[str, Any] = {
    "shift": 100,
    "speed": 0.1,
    "snr": (-3.0, 3.0),
    "gain": (0.5, 2.0),
    "sign": True,
    "mask": 0.5,
}


def batches_of(prepared: Prepared) -> WindowBatches:
    return WindowBatches(prepared, prepared.windows.of("train"), CPU)


def changed(prepared: Prepared, epoch: int = 1, step: int = 0, **options: Any) -> torch.Tensor:
    batches = batches_of(prepared)
    augmentation = Augmentation(batches, prepared.segments("train"), Ranges(**options), seed=3)
    return augmentation.windows(torch.arange(len(batches)), epoch, step)[0]


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_each_changes_windows_and_follows_from_seed_epoch_and_step(
    name: str, prepared: Prepared
) -> None:
    batches = batches_of(prepared)
    rows = torch.arange(len(batches))
    option = {name: OPTIONS[name]}
    windows = changed(prepared, **option)
    assert windows.shape == batches.windows(rows).shape
    assert windows.dtype == torch.float32
    assert (windows != batches.windows(rows)).any(dim=(1, 2)).float().mean() > 0.3
    torch.manual_seed(5)
    assert torch.equal(changed(prepared, **option), windows)
    assert not torch.equal(changed(prepared, epoch=2, **option), windows)
    assert not torch.equal(changed(prepared, step=1, **option), windows)
    seeded = Augmentation(batches, prepared.segments("train"), Ranges(**option), seed=4)
    assert not torch.equal(seeded.windows(rows, 1, 0)[0], windows)


def test_without_ranges_nothing_is_drawn(prepared: Prepared) -> None:
    batches = batches_of(prepared)
    rows = torch.arange(len(batches))
    assert not Ranges().any
    assert torch.equal(changed(prepared), batches.windows(rows))


def test_a_shifted_window_is_that_many_samples_later(prepared: Prepared) -> None:
    batches = batches_of(prepared)
    segments = {s.recording: s for s in prepared.segments("train")}
    found = changed(prepared, shift=60).numpy()
    shifts = []
    for row in range(0, len(batches), 7):
        recording = int(batches.index.recording[row])
        start = int(batches.index.start[row])
        segment = segments[recording]
        signal = prepared.signals[prepared.recordings[recording].offset :]
        for shift in range(-60, 61):
            if start + shift < 0:
                continue
            raw = torch.from_numpy(signal[start + shift : start + shift + 256].copy())
            if np.array_equal(batches.normalised(raw[None, None]).numpy()[0], found[row]):
                assert segment.start <= start + shift <= segment.stop - 256
                shifts.append(shift)
                break
        else:
            raise AssertionError(f"window {row} is no shifted window")
    assert len(set(shifts)) > 5
    assert min(shifts) < 0 < max(shifts)


@pytest.mark.parametrize("options", [{"shift": 10_000}, {"shift": 10_000, "speed": 0.2}])
def test_no_sample_of_another_part_is_seen(options: dict[str, Any], prepared: Prepared) -> None:
    """All samples outside the training segments are poisoned, and none gets through."""
    poisoned = Prepared(prepared.folder)
    poisoned.signals = np.full_like(prepared.signals, np.nan)
    for segment in prepared.segments("train"):
        first = prepared.recordings[segment.recording].offset
        place = slice(first + segment.start, first + segment.stop)
        poisoned.signals[place] = prepared.signals[place]
    for step in range(5):
        windows = changed(poisoned, step=step, **options)
        assert windows.isfinite().all()
    # The poison works: windows of another part are full of it.
    valid = WindowBatches(poisoned, poisoned.windows.of("valid"), CPU)
    assert valid.windows(torch.arange(len(valid))).isnan().all()


def test_noise_has_the_power_that_was_asked_for(prepared: Prepared) -> None:
    batches = batches_of(prepared)
    rows = torch.arange(len(batches))
    clean = batches.raw(rows)
    augmentation = Augmentation(batches, prepared.segments("train"), Ranges(snr=(6.0, 6.0)), seed=0)
    batches.normalised = lambda raw: raw  # type: ignore[method-assign]
    noise = augmentation.windows(rows, 1, 0)[0] - clean
    ratio = clean.var(-1, correction=0) / noise.var(-1, correction=0)
    assert 10 * ratio.log10().mean().item() == pytest.approx(6.0, abs=0.1)


def test_gain_sign_and_mask_act_on_what_the_network_sees(prepared: Prepared) -> None:
    batches = batches_of(prepared)
    plain = batches.windows(torch.arange(len(batches)))
    gains = changed(prepared, gain=(0.5, 2.0)) / plain
    spread = gains.amax(-1) - gains.amin(-1)
    assert spread.max() < 1e-3
    each = gains[:, 0, 0]
    assert 0.5 <= each.min() < 0.7
    assert 1.5 < each.max() <= 2.0
    turned = changed(prepared, sign=True)
    same = (turned == plain).all(-1)
    assert ((turned == -plain).all(-1) | same).all()
    assert 0.3 < same.float().mean() < 0.7
    masked = changed(prepared, mask=0.5)
    hidden = (masked == 0) & (plain != 0)
    assert (hidden.sum(-1) <= 128).all()
    assert torch.equal(masked[~hidden], plain[~hidden])
    edges = torch.diff(hidden.int(), dim=-1).abs().sum(-1)
    assert (edges <= 2).all()  # one stretch
    assert 40 < hidden.sum(-1).float().mean() < 90


def test_shaft_rates_follow_the_speed(prepared: Prepared) -> None:
    batches = batches_of(prepared)
    augmentation = Augmentation(batches, prepared.segments("train"), Ranges(speed=0.1), seed=0)
    _, factor = augmentation.windows(torch.arange(len(batches)), 1, 0)
    assert factor is not None
    assert factor.shape == (len(batches),)
    assert 0.9 <= factor.min() < 0.92
    assert 1.08 < factor.max() <= 1.1


@given(factor=st.floats(0.5, 1.5), frequency=st.floats(0.0, 0.05))
def test_a_stretched_sine_has_its_frequency_times_the_factor(
    factor: float, frequency: float
) -> None:
    x = torch.sin(2 * torch.pi * frequency * torch.arange(100, dtype=torch.float64))
    y = stretched(x[None, None], torch.tensor([factor]), 60)[0, 0]
    exact = torch.sin(2 * torch.pi * frequency * torch.tensor(factor).double() * torch.arange(60.0))
    # Beside the first sample, whose neighbour on the left is missing.
    assert (y - exact)[2:].abs().max() < 5e-3


def test_an_unchanged_speed_changes_nothing() -> None:
    x = torch.randn(2, 3, 50)
    assert torch.equal(stretched(x, torch.ones(2), 40), x[..., :40])


def test_a_segment_that_is_too_short_for_the_speed(prepared: Prepared) -> None:
    short = [replace(s, stop=s.start + 256) for s in prepared.segments("train")]
    with pytest.raises(
        FaultdiagError,
        match=r"train\.augment\.speed computes a window from 282 samples, and the shortest "
        r"training segment has 256; use a smaller train\.augment\.speed, or a split",
    ):
        Augmentation(batches_of(prepared), short, Ranges(speed=0.1), seed=0)


def test_windows_dealt_one_by_one_are_not_moved(recordings: Path, prepared_root: Path) -> None:
    """Of a split whose windows are segments of their own, a shift would leak."""
    config = tiny_config(recordings, prepared_root, split__strategy="random_windows")
    dealt = prepare(config)
    batches = batches_of(dealt)
    assert torch.equal(changed(dealt, shift=50), batches.windows(torch.arange(len(batches))))


def test_kind_and_ratio_are_drawn_for_each_window(prepared: Prepared) -> None:
    kinds = ("white", "pink", "brown", "blue", "impulsive", "hum")
    batches = WindowBatches(prepared, prepared.windows.of("train"), CPU)
    segments = prepared.segments("train")
    augment = Augmentation(batches, segments, Ranges(snr=(-10.0, 20.0), kinds=kinds), 0)
    numbers, normal, spikes = augment.draw(600, 1, 0)
    names = list(augment._kinds)
    assert names[:3] == ["snr", "kind", "hum"]
    counts = torch.bincount(numbers[1].long(), minlength=6)
    assert counts.min() > 60
    assert numbers[0].min() < -9 < 19 < numbers[0].max()
    assert normal.shape == spikes.shape == (600, 1, prepared.length)
    rows = torch.arange(64)
    drawn = (numbers[:, :64], normal[:64], spikes[:64])
    noisy, _ = augment.changed(rows, *drawn)
    plain = batches.normalised(batches.raw(rows))
    raw = batches.raw(rows)
    for i in range(64):
        alone = Augmentation(batches, segments, Ranges(snr=(-10.0, 20.0), kinds=kinds), 0)
        found, _ = alone.changed(
            rows[i : i + 1],
            *(part[..., i : i + 1] if part.ndim == 2 else part[i : i + 1] for part in drawn),
        )
        torch.testing.assert_close(found, noisy[i : i + 1])
    assert not torch.allclose(plain, noisy)
    assert raw.shape == noisy.shape
