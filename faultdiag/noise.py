"""Noise of several kinds, scaled to the power of each window.

White noise has that power on average over windows, as in published work; every other kind has it
exactly in every window and channel.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from faultdiag.signal.noise import (
    AMPLITUDES,
    COLOURS,
    FLOOR,
    HUM,
    IMPULSIVE,
    MAINS,
    ORDERS,
    TOLERANCE,
    draw_row,
    spectrum_gain,
)

Disturb = Callable[[Tensor, Tensor], Tensor]


class NoiseShaper:
    """Turns random numbers into noise of several kinds, a kind for each window.

    All tensors lie on the device, so that a recorded CUDA graph repeats them.

    Parameters
    ----------
    kinds
        Names of `faultdiag.signal.noise.KINDS`.
    length
        Samples of a window.
    sampling_rate
        Hz; hum needs it. Its harmonics above the Nyquist frequency are left out.
    device
        Where the noise is made.
    """

    def __init__(
        self, kinds: Sequence[str], length: int, sampling_rate: float, device: torch.device
    ) -> None:
        self.kinds = tuple(kinds)
        self._coloured = any(COLOURS.get(kind, 0.0) for kind in kinds)
        gains = np.stack([spectrum_gain(kind, length) for kind in kinds])
        self._gains = torch.from_numpy(gains).to(device)  # (kinds, lines)
        self._times = (torch.arange(length, dtype=torch.float64) / sampling_rate).to(device)
        below = [n for n in ORDERS if n * (MAINS + TOLERANCE) < sampling_rate / 2] or [1]
        self._orders = torch.tensor(below, dtype=torch.float64, device=device)
        self._amplitudes = torch.tensor(
            AMPLITUDES[: len(below)], dtype=torch.float64, device=device
        )

    def __call__(
        self,
        kind: Tensor,
        normal: Tensor,
        spikes: Tensor | None = None,
        hum: Tensor | None = None,
    ) -> Tensor:
        """Make noise of power 1: white on average, other kinds in every window and channel.

        Parameters
        ----------
        kind
            Index into `kinds` for each window, ``(B,)``.
        normal, spikes
            Standard normal numbers, and spikes where there are any, ``(B, C, L)``.
        hum
            Frequency in Hz and phases, ``(B, 1 + orders)``.
        """
        noise = normal
        if self._coloured:
            lines = torch.fft.rfft(normal) * self._gains[kind][:, None, :]
            noise = torch.fft.irfft(lines, n=normal.shape[-1])
        for number, name in enumerate(self.kinds):
            if name == IMPULSIVE and spikes is not None:
                noise = torch.where(_is(kind, number), FLOOR * normal + spikes, noise)
            if name == HUM and hum is not None:
                noise = torch.where(_is(kind, number), self._hum(hum).to(normal.dtype), noise)
        noise = noise - noise.mean(-1, keepdim=True)
        noise = noise / noise.square().mean(-1, keepdim=True).sqrt()
        if "white" in self.kinds:
            noise = torch.where(_is(kind, self.kinds.index("white")), normal, noise)
        return noise

    def _hum(self, drawn: Tensor) -> Tensor:
        """Return the mains and its harmonics, ``(B, 1, L)``."""
        count = len(self._orders)
        frequency, phases = drawn[:, :1].double(), drawn[:, 1 : 1 + count].double()
        turns = (frequency * self._orders)[:, :, None] * self._times  # (B, orders, L)
        waves = torch.sin(2 * np.pi * turns + phases[:, :, None])
        return (self._amplitudes[:, None] * waves).sum(1, keepdim=True)


def _is(kind: Tensor, number: int) -> Tensor:
    return (kind == number)[:, None, None]


def scaled(noise: Tensor, windows: Tensor, snr: float | Tensor) -> Tensor:
    """Scale noise of power 1 to the power of windows, mean removed, at a ratio in dB."""
    power = windows.var(-1, correction=0, keepdim=True)
    return (power / 10 ** (snr / 10)).sqrt() * noise


def add_noise(
    kind: str, snr: float, seed: int, sampling_rate: float, *, alone: bool = False
) -> Disturb:
    """Return the disturbance that adds noise at a signal-to-noise ratio in dB.

    The noise has the power of each raw window and channel with its mean removed, divided by
    ``10 ** (snr / 10)``. It depends on the window's own row and the seed only.

    Parameters
    ----------
    kind
        A name of `faultdiag.signal.noise.KINDS`.
    alone
        Return the scaled noise without the signal: the control that a network must fail on.
    """

    def disturb(windows: Tensor, rows: Tensor) -> Tensor:
        shape = (windows.shape[1], windows.shape[2])
        drawn = [draw_row(kind, shape, [seed, row]) for row in rows.tolist()]
        draws = {
            name: torch.from_numpy(np.stack([row[name] for row in drawn])).to(windows.device)
            for name in drawn[0]
        }
        shaper = NoiseShaper([kind], shape[1], sampling_rate, windows.device)
        zeros = torch.zeros(len(windows), dtype=torch.long, device=windows.device)
        noise = scaled(shaper(zeros, **draws), windows, snr)
        return noise if alone else windows + noise

    return disturb
