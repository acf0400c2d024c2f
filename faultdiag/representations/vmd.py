"""Variational mode decomposition as a representation."""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from faultdiag.errors import FaultdiagError
from faultdiag.option_types import Count, NotNegative, Positive
from faultdiag.representations.base import (
    Scaling,
    Standardise,
    WindowFront,
)


@dataclass
class _State:
    """Signals that have not converged: rows and energies ``(R,)``, and the current estimates.

    ``rest`` is ``x - sum_k u_k + dual / 2``.
    """

    rows: Tensor
    energy: Tensor
    modes: Tensor  # (K, R, L)
    centres: Tensor  # (K, R)
    rest: Tensor  # (R, L)
    dual: Tensor  # (R, L)

    def take(self, kept: Tensor) -> "_State":
        """Return the state of the rows in a mask."""
        return _State(
            self.rows[kept],
            self.energy[kept],
            self.modes[:, kept],
            self.centres[:, kept],
            self.rest[kept],
            self.dual[kept],
        )


@dataclass(frozen=True)
class Solver:
    """Alternating direction method of multipliers on real spectral lines."""

    alpha: float
    tau: float
    tolerance: float
    iterations: int

    def solve(self, lines: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lines of the modes ``(R, K, L)`` and their centres ``(R, K)``."""
        rows, length = lines.shape
        state = _State(
            torch.arange(rows, device=lines.device),
            lines.square().sum(-1),
            lines.new_zeros(len(first), rows, length),
            first[:, None].repeat(1, rows),
            lines.clone(),
            torch.zeros_like(lines),
        )
        done = lines.new_empty(rows, len(first), length), lines.new_empty(rows, len(first))
        f = torch.arange(length, device=lines.device, dtype=lines.dtype) / (2 * length)
        for _ in range(self.iterations):
            moved = self._sweep(state, f)
            if self.tolerance == 0:
                continue
            busy = moved > self.tolerance * state.energy
            if not busy.all():
                _store(state.take(~busy), done)
                state = state.take(busy)
            if not len(state.rows):
                break
        _store(state, done)
        return done

    def _sweep(self, state: _State, f: Tensor) -> Tensor:
        """Update every mode, centre and the dual once; return the energy of the modes' change."""
        moved = torch.zeros_like(state.energy)
        for mode, centre in zip(state.modes, state.centres, strict=True):
            state.rest += mode
            distance = f - centre[:, None]
            new = state.rest / distance.square_().mul_(self.alpha).add_(1)
            state.rest -= new
            moved += torch.linalg.vector_norm(new - mode, dim=-1).square()
            mode.copy_(new)
            power = new.square_()
            total = power.sum(-1)
            centre.copy_(torch.where(total > 0, (power @ f) / total, centre))
        if self.tau:
            change = (state.rest - state.dual / 2) * self.tau
            state.dual += change
            state.rest += change / 2
        return moved


def _store(state: _State, done: tuple[Tensor, Tensor]) -> None:
    done[0][state.rows] = state.modes.transpose(0, 1)
    done[1][state.rows] = state.centres.T


Init = Literal["uniform", "logarithmic", "zero"]


class VariationalModes(WindowFront):
    """Modes of each channel by variational mode decomposition: narrow bands with fitted centres.

    Channel ``c * modes + k`` is mode ``k`` of channel ``c``, the lowest centre frequency first;
    the length stays. See `decompose` for the method. It is far slower than the other
    representations: it takes the time of many training steps of a small network.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window; its rate in Hz has no effect on the modes.
    modes, alpha, tau, tolerance, iterations, init
        See `decompose`.
    standardise
        See `Scaling`; with ``none`` the modes add up to about the window, with ``channel`` a weak
        mode counts as much as a strong one.

    Raises
    ------
    FaultdiagError
        If a window has fewer than 4 samples per mode.

    References
    ----------
    .. [1] K. Dragomiretskiy and D. Zosso, "Variational mode decomposition", IEEE Trans. Signal
       Process. 62 (2014) 531-544, doi:10.1109/TSP.2013.2288675
    """

    name: ClassVar[str] = "vmd"
    not_exported: ClassVar[str] = (
        "variational mode decomposition repeats until the modes of each window settle, up to 500 "
        "times, and a graph has no such loop"
    )
    axis: ClassVar[str] = "sample of the window"
    reference: ClassVar[str] = "Dragomiretskiy and Zosso 2014, doi:10.1109/TSP.2013.2288675"

    def __init__(
        self,
        channels: int,
        length: int,
        sampling_rate: float,
        *,
        modes: Count = 4,
        alpha: Positive = 2000.0,
        tau: NotNegative = 0.0,
        tolerance: NotNegative = 1e-7,
        iterations: Count = 500,
        init: Init = "uniform",
        standardise: Standardise = "none",
    ) -> None:
        super().__init__(channels, length, sampling_rate, shortest=1)
        _check_modes("representation 'vmd'", modes, length)
        self.out_channels, self.out_length = channels * modes, length
        self.scaling = Scaling("linear", standardise)
        self.decompose = partial(
            decompose,
            modes=modes,
            alpha=alpha,
            tau=tau,
            tolerance=tolerance,
            iterations=iterations,
            init=init,
        )

    def _compute(self, x: Tensor) -> Tensor:
        modes, _ = self.decompose(x)  # (B, C, K, L)
        return self.scaling(modes.flatten(1, 2))


@torch.no_grad()
def decompose(
    signals: Tensor,
    *,
    modes: int = 4,
    alpha: float = 2000.0,
    tau: float = 0.0,
    tolerance: float = 1e-7,
    iterations: int = 500,
    init: Init = "uniform",
) -> tuple[Tensor, Tensor]:
    """Return the modes of signals and the modes' centre frequencies, the lowest first.

    Every signal is continued at both ends by its mirror image. Sweep after sweep, each mode
    becomes ``u_k = (x - sum_{i != k} u_i + dual / 2) / (1 + alpha (f - f_k)^2)`` in the frequency
    domain and its centre ``f_k`` its mean frequency weighted by power; then ``dual`` grows by
    ``tau (x - sum_k u_k)``. ``f`` is in cycles per sample, as in the authors' program, whose
    ``alpha`` this is: ``2 alpha`` of the paper. A signal is done when its modes moved by less than
    `tolerance` of its energy in one sweep, independently of the rest of the batch.

    Parameters
    ----------
    signals
        ``(..., length)`` in float32 or float64.
    modes
        How many, ``K``.
    alpha
        Larger values make narrower modes: ``1 / sqrt(alpha)`` cycles per sample from its centre a
        mode has half of the signal.
    tau
        Step of the dual ascent, which makes the modes add up to the signal. 0 leaves noise out.
    tolerance
        Energy of the change in the last sweep over that of the signal. 0 makes every sweep.
    iterations
        Sweeps at most.
    init
        The first centres: ``uniform``, ``k / (2 K)``; ``logarithmic``, evenly spaced in the
        logarithm between ``1 / length`` and 1/2; ``zero``, all 0.

    Returns
    -------
    tuple[Tensor, Tensor]
        Modes ``(..., K, length)`` and centre frequencies ``(..., K)`` in cycles per sample.

    Raises
    ------
    FaultdiagError
        If a signal has fewer than 4 samples per mode.

    Notes
    -----
    A mirrored signal's spectrum is its cosine transform (DCT-II) times known phases, so that
    ``length`` real numbers represent ``2 length`` samples. The paper divides the change of each
    mode by that mode's energy, the authors' program does not divide it; the signal's energy
    makes the stopping rule independent of the gain and safe for empty modes. No gradient passes.

    References
    ----------
    .. [1] K. Dragomiretskiy and D. Zosso, "Variational mode decomposition", IEEE Trans. Signal
       Process. 62 (2014) 531-544, doi:10.1109/TSP.2013.2288675

    Examples
    --------
    >>> time = torch.arange(1000, dtype=torch.float64) / 1000
    >>> slow, fast = torch.cos(2 * math.pi * 20 * time), torch.cos(2 * math.pi * 120 * time)
    >>> modes, centres = decompose(slow + fast, modes=2)
    >>> [round(1000 * float(f)) for f in centres]
    [20, 120]
    """
    length = signals.shape[-1]
    _check_modes("decompose", modes, length)
    lines = _cosine_lines(signals.reshape(-1, length))  # (R, L)
    # Squares of very small or large samples would leave the range of float32.
    peak = lines.abs().amax(-1, keepdim=True)
    peak = torch.where(peak > 0, peak, 1)
    solver = Solver(alpha, tau, tolerance, iterations)
    centres = _first_centres(init, modes, length).to(lines)
    spectra, centres = solver.solve(lines / peak, centres)  # (R, K, L), (R, K)
    centres, order = centres.sort(-1)
    spectra = spectra.gather(1, order[..., None].expand_as(spectra)) * peak[:, None]
    shape = (*signals.shape[:-1], modes)
    return _from_cosine_lines(spectra).reshape(*shape, length), centres.reshape(shape)


def _check_modes(caller: str, modes: int, length: int) -> None:
    if length < 4 * modes:
        fewer = f", or {length // 4} modes or fewer" if length >= 4 else ""
        raise FaultdiagError(
            f"{caller}: modes is {modes} and a signal has {length} samples; "
            f"use {4 * modes} samples or more{fewer}"
        )


def _first_centres(init: Init, modes: int, length: int) -> Tensor:
    """Return the centres to start from, ``(K,)`` in cycles per sample."""
    k = torch.arange(modes, dtype=torch.float64)
    if init == "uniform":
        return k / (2 * modes)
    if init == "logarithmic":
        return 0.5 * (2 / length) ** (1 - (k + 0.5) / modes)
    return torch.zeros_like(k)


def _phases(length: int, like: Tensor) -> Tensor:
    """Return ``exp(pi i k / (2 L))``, which makes the lines of a mirrored signal real."""
    angle = torch.arange(length, dtype=torch.float64, device=like.device) * (math.pi / 2 / length)
    kind = torch.complex128 if like.dtype == torch.float64 else torch.complex64
    return torch.polar(torch.ones_like(angle), angle).to(kind)


def _cosine_lines(x: Tensor) -> Tensor:
    """Return the real lines ``(..., L)``, at ``k / (2 L)`` cycles per sample, of mirrored ``x``."""
    length = x.shape[-1]
    lines = torch.fft.rfft(torch.cat((x, x.flip(-1)), -1))[..., :length]  # that at 1/2 is 0
    turned: Tensor = (lines * _phases(length, x).conj()).real
    return turned.contiguous()


def _from_cosine_lines(lines: Tensor) -> Tensor:
    """Undo `_cosine_lines`."""
    length = lines.shape[-1]
    mirrored: Tensor = torch.fft.irfft(lines * _phases(length, lines), 2 * length)
    return mirrored[..., :length]
