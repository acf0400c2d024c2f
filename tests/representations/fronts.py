"""Representations for the tests, small, and signals to put through them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faultdiag.representations import REPRESENTATIONS, build

RATE = 1000.0
LENGTH = 200

NAMES = list(REPRESENTATIONS)

# A value unlike the default for every option of every representation.
OTHER: dict[str, dict[str, Any]] = {
    "raw": {},
    "spectrum": {
        "max_frequency": 300.0,
        "taper": "none",
        "scale": "linear",
        "standardise": "none",
    },
    "envelope_spectrum": {
        "band": (100.0, 400.0),
        "bands": 3,
        "max_frequency": 80.0,
        "taper": "none",
        "scale": "root",
        "standardise": "none",
    },
    "order_envelope_spectrum": {
        "band": (100.0, 400.0),
        "bands": 3,
        "max_order": 5.0,
        "bins": 300,
        "method": "linear",
        "taper": "none",
        "scale": "log",
        "standardise": "none",
    },
    "stft": {
        "segment": 50,
        "hop": 7,
        "max_frequency": 300.0,
        "taper": "none",
        "scale": "root",
        "standardise": "channel",
    },
    "log_psd": {"segment": 40, "hop": 20, "bands": 4, "taper": "none"},
    "log_spectra": {"segments": (16, 32), "overlap": 2, "floor": 0.1},
    "fault_order_combs": {
        "bands": 3,
        "whiten": False,
        "harmonics": 3,
        "sidebands": 1,
        "slip": 0.1,
        "slips": 5,
    },
    "vmd": {
        "modes": 3,
        "alpha": 500.0,
        "tau": 0.1,
        "tolerance": 1e-3,
        "iterations": 4,
        "init": "logarithmic",
        "standardise": "window",
    },
}


# Options where the defaults are for longer windows.
SHORT: dict[str, dict[str, Any]] = {
    "log_psd": {"segment": 32, "hop": 16},
    "log_spectra": {"segments": (16, 64)},
}


def front(
    name: str, channels: int = 1, length: int = LENGTH, rate: float = RATE, **options: Any
) -> Any:
    """A representation for windows at 1 kHz, with whatever attributes it has."""
    return build(name, channels, length, rate, **SHORT.get(name, {}) | options)


def facts(built: Any, batch: int = 3) -> tuple[torch.Tensor, ...]:
    """What a representation must know of windows: nothing, shaft rates, or conditions."""
    if getattr(built, "needs_bearing", False):
        return (conditions(batch),)
    return (rates(batch),) if built.needs_speed else ()


def conditions(batch: int = 3) -> torch.Tensor:
    """Shaft rates in Hz and fault orders, each different."""
    orders = torch.tensor([3.1, 4.9, 2.0, 0.38], dtype=torch.float64)
    return torch.cat([rates(batch)[:, None], orders * (1 + rates(batch)[:, None] / 100)], 1)


def windows(
    batch: int = 3,
    channels: int = 1,
    length: int = LENGTH,
    *,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> torch.Tensor:
    """Standard normal windows."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, length, generator=generator, dtype=dtype)


def rates(batch: int = 3) -> torch.Tensor:
    """Shaft rates in Hz, each different."""
    return torch.linspace(11, 23, batch, dtype=torch.float64)


def array(x: torch.Tensor) -> NDArray[np.float64]:
    """The values as a numpy array."""
    return np.asarray(x.detach().cpu(), dtype=np.float64)
