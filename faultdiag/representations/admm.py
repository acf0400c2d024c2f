"""The iteration of variational mode decomposition, on real spectral lines."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class _State:
    """Signals still at work: their rows and energies ``(R,)``, and what they reached so far.

    ``rest`` is ``x - sum_k u_k + dual / 2``.
    """

    rows: Tensor
    energy: Tensor
    modes: Tensor  # (K, R, L)
    centres: Tensor  # (K, R)
    rest: Tensor  # (R, L)
    dual: Tensor  # (R, L)

    def take(self, kept: Tensor) -> "_State":
        """Give the state of those of the rows that are kept."""
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
        """Give the lines of the modes ``(R, K, L)`` and their centres ``(R, K)``."""
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
        """Update every mode, centre and the dual once; give the energy of the modes' change."""
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
