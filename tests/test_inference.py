"""Devices, batches of windows, noise on them, and logits of many."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from faultdiag import inference
from faultdiag.errors import FaultdiagError
from faultdiag.inference import (
    WindowBatches,
    logits_of,
    require_snr,
    select_device,
    signals_on,
    white_noise,
)
from faultdiag.preparing.folder import Prepared, gather
from faultdiag.preparing.prepare import prepare
from faultdiag.scoring import softmax
from tests.data_fixtures import CASES, SAMPLES, signal, tiny_config, write_mat

CPU = torch.device("cpu")


def raw_windows(prepared: Prepared, part: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    windows = prepared.windows.of(part)
    return gather(prepared.signals, prepared.positions(windows), prepared.length)


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:", "cpu:0", "cuda:-1", "cuda:01", "", "²"])
def test_a_device_nobody_knows(name: str) -> None:
    with pytest.raises(FaultdiagError, match=f"unknown device '{name}'; use auto, cpu, cuda or"):
        select_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_where_there_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        FaultdiagError,
        match=rf"--device {name}: torch \S+ finds no CUDA device; use --device cpu, or install a "
        r"CUDA build of torch and the driver",
    ):
        select_device(name)
    assert select_device("auto") == CPU


def test_cuda_devices_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert select_device("auto") == torch.device("cuda")
    assert select_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(
        FaultdiagError,
        match="--device cuda:2: the CUDA devices there are cuda:0 to cuda:1",
    ):
        select_device("cuda:2")


def test_windows_are_those_of_the_part_normalised(prepared: Prepared) -> None:
    batches = WindowBatches(prepared, prepared.windows.of("valid"), CPU)
    raw = raw_windows(prepared, "valid").astype(np.float64)
    centred = raw - raw.mean(-1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(-1, keepdims=True))
    rows = torch.tensor([5, 0, 77, 5])
    found = batches.windows(rows)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected[rows.numpy()], atol=1e-5)
    assert batches.labels(rows).tolist() == [
        int(prepared.windows.of("valid").label[row]) for row in rows
    ]
    assert batches.labels(rows).dtype == torch.int64


def test_a_fitted_normaliser_is_applied(recordings: Path, prepared_root: Path) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root, normalize="channel_zscore"))
    (mean,), (std,) = (prepared.normalize["state"][key][0] for key in ("mean", "std"))
    train = raw_windows(prepared, "train").astype(np.float64)
    assert mean == pytest.approx(train.mean(), abs=1e-9)
    assert std == pytest.approx(train.std(), rel=1e-9)
    batches = WindowBatches(prepared, prepared.windows.of("test"), CPU)
    found = batches.windows(torch.arange(len(batches)))
    expected = (raw_windows(prepared, "test") - mean) / std
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_all_rows_come_once_in_their_order(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "BATCH", 100)
    batches = WindowBatches(prepared, prepared.windows.of("train"), CPU)
    rows = list(batches.in_order())
    assert [len(r) for r in rows] == [100] * 3 + [98]
    assert torch.cat(rows).tolist() == list(range(len(batches)))


class FirstSamples(nn.Module):
    """A network whose logits are the first samples of a window; remembers its mode and batches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.modes: list[bool] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.modes.append(self.training)
        return x[:, 0, :3] * self.weight


def test_logits_of_all_windows_whatever_the_batch(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = WindowBatches(prepared, prepared.windows.of("train"), CPU)
    network = FirstSamples().train()
    whole = logits_of(network, batches)
    assert network.modes == [False]
    assert whole.dtype == np.float64
    expected = batches.windows(torch.arange(len(batches)))[:, 0, :3].double().numpy()
    np.testing.assert_array_equal(whole, expected)
    monkeypatch.setattr(inference, "BATCH", 7)
    np.testing.assert_array_equal(logits_of(network, batches), whole)


def test_no_windows_at_all(prepared: Prepared) -> None:
    nothing = WindowBatches(prepared, prepared.windows.take(slice(0, 0)), CPU)
    with pytest.raises(ValueError, match="there are no windows"):
        logits_of(FirstSamples(), nothing)


def test_bfloat16_is_a_matter_of_the_forward_pass(prepared: Prepared) -> None:
    batches = WindowBatches(prepared, prepared.windows.of("test"), CPU)
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    exact, rough = (logits_of(network, batches, p) for p in ("float32", "bfloat16"))
    assert not np.array_equal(exact, rough)
    np.testing.assert_allclose(rough, exact, atol=0.05)


@pytest.mark.parametrize("snr", [-10.0, 0.0, 7.5, 40.0])
def test_noise_has_the_power_asked_for(snr: float) -> None:
    generator = torch.Generator().manual_seed(1)
    windows = 3.0 * torch.randn(40, 2, 4096, generator=generator) + 50.0
    windows[:, 1] *= 0.01
    noise = white_noise(snr, 0)(windows, torch.arange(40)) - windows
    signal_power = windows.double().var(-1, correction=0)
    measured = 10 * torch.log10(signal_power / noise.double().square().mean(-1))
    # The offset of 50 in float32 costs the weak channel's noise some of its digits.
    assert measured.mean(0)[0].item() == pytest.approx(snr, abs=0.05)
    assert measured.mean(0)[1].item() == pytest.approx(snr, abs=0.2)
    assert (measured[:, 0] - snr).abs().max() < 0.5


@pytest.mark.parametrize("batch", [2, 512])
def test_an_offset_is_no_signal_whatever_the_batch(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in CWRU's 201: an offset 2.6 times the vibration.
    for number, (rate, frequency) in CASES.items():
        x = signal(frequency, rate, SAMPLES[number], seed=number)
        write_mat(tmp_path / f"{number}.mat", number, DE=0.1 * (x + 2.6 * x.std()))
    prepared = prepare(tiny_config(tmp_path, tmp_path / "prepared", window__length=1024))
    monkeypatch.setattr(inference, "BATCH", batch)
    added: list[torch.Tensor] = []

    def add(raw: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        noisy = white_noise(6, 0)(raw, rows)
        added.append((noisy - raw).double())
        return noisy

    batches = WindowBatches(prepared, prepared.windows.of("test"), CPU, add)
    for rows in batches.in_order():
        batches.windows(rows)
    noise = torch.cat(added)[:, 0].numpy()
    raw = raw_windows(prepared, "test")[:, 0].astype(np.float64)
    assert len(raw) > 1
    assert (raw.mean(1) > 2 * raw.std(1)).all()
    measured = 10 * np.log10(raw.var(1) / np.square(noise).mean(1))
    np.testing.assert_allclose(measured, 6, atol=0.6)
    draws = [
        np.random.default_rng([0, row]).standard_normal((1, 1024), np.float32)[0]
        for row in range(len(raw))
    ]
    scale = np.sqrt(raw.var(1, keepdims=True) / 10**0.6)
    np.testing.assert_allclose(noise, scale * draws, atol=1e-5)


def test_noise_is_white_and_differs_between_windows_and_channels() -> None:
    windows = torch.sin(torch.arange(8192) / 3.0).expand(2, 2, 8192)
    noise = (white_noise(0, 0)(windows, torch.arange(2)) - windows).double().reshape(4, -1)
    correlation = torch.corrcoef(noise) - torch.eye(4)
    assert correlation.abs().max() < 0.05
    spectrum = torch.fft.rfft(noise, dim=-1).abs().square()[:, 1:].reshape(4, 8, -1).mean(-1)
    assert (spectrum / spectrum.mean(-1, keepdim=True) - 1).abs().max() < 0.25


def test_noise_depends_on_row_and_seed_alone() -> None:
    windows = torch.randn(6, 1, 64, generator=torch.Generator().manual_seed(2))
    rows = torch.tensor([9, 4, 0, 7, 1, 2])
    whole = white_noise(3, 5)(windows, rows)
    one_by_one = [white_noise(3, 5)(windows[i : i + 1], rows[i : i + 1]) for i in range(6)]
    assert torch.equal(whole, torch.cat(one_by_one))
    assert not torch.equal(whole, white_noise(3, 6)(windows, rows))


def test_noise_is_added_to_raw_windows_before_they_are_normalised(prepared: Prepared) -> None:
    windows = prepared.windows.of("test")
    rows = torch.arange(10)
    noisy = WindowBatches(prepared, windows, CPU, white_noise(0, 0)).windows(rows)
    raw = torch.from_numpy(raw_windows(prepared, "test")[:10])
    expected = white_noise(0, 0)(raw, rows)
    expected = expected - expected.mean(-1, keepdim=True)
    expected = expected / expected.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(noisy, expected)


def test_a_constant_window_stays_as_it_is() -> None:
    windows = torch.full((1, 1, 32), 4.0)
    assert torch.equal(white_noise(0, 0)(windows, torch.arange(1)), windows)


@pytest.mark.parametrize("snr", [101, -100.5, math.inf, -math.inf, math.nan])
def test_a_ratio_out_of_range(snr: float) -> None:
    with pytest.raises(
        FaultdiagError, match=f"--snr is {snr:g} dB; give a number from -100 to 100"
    ):
        require_snr(snr)


def test_ratios_in_range() -> None:
    for snr in (-100, 0, 100.0):
        require_snr(snr)
        windows = torch.randn(2, 1, 64, generator=torch.Generator().manual_seed(0))
        assert white_noise(snr, 0)(windows, torch.arange(2)).isfinite().all()


def test_softmax() -> None:
    logits = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, 1000.0], [-1e9, -1e9, -1e9]])
    before = logits.copy()
    found = softmax(logits)
    np.testing.assert_array_equal(logits, before)
    np.testing.assert_allclose(found.sum(-1), 1)
    np.testing.assert_allclose(found[0], np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum())
    np.testing.assert_allclose(found[1:], [[0.5, 0, 0.5], [1 / 3] * 3])


def test_windows_that_lie_on_the_device_are_the_same(prepared: Prepared) -> None:
    windows = prepared.windows.of("train")
    there = WindowBatches(prepared, windows, CPU, resident=True)
    here = WindowBatches(prepared, windows, CPU)
    rows = torch.tensor([5, 0, len(windows) - 1, 5])
    assert torch.equal(there.windows(rows), here.windows(rows))
    assert torch.equal(there.labels(rows), here.labels(rows))
    shift = torch.tensor([3, 0, -2, 1])
    assert torch.equal(there.raw(rows, shift, 100), here.raw(rows, shift, 100))


def test_parts_share_signals_that_lie_on_a_device(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (
        WindowBatches(prepared, prepared.windows.of(part), CPU, resident=True)
        for part in ("train", "valid")
    )
    assert one._on_device is other._on_device

    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "from_numpy", full)
    with pytest.raises(
        FaultdiagError,
        match=r"^the signals take 0\.0 GB, for which meta has no room; use --device cpu, which "
        r"reads them from the disk, or fewer recordings \(data\.select\)$",
    ):
        signals_on(prepared, torch.device("meta"))


@pytest.mark.cuda
def test_a_cuda_device_gives_the_same_windows(prepared: Prepared) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    windows = prepared.windows.of("valid")
    cuda = select_device("cuda")
    here, there = (WindowBatches(prepared, windows, device) for device in (CPU, cuda))
    rows = torch.tensor([3, 1, 60])
    torch.testing.assert_close(there.windows(rows.to(cuda)).cpu(), here.windows(rows))
    assert there.labels(rows.to(cuda)).tolist() == here.labels(rows).tolist()
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    exact = logits_of(network, here)
    np.testing.assert_allclose(logits_of(network.to(cuda), there), exact, atol=1e-4)
