"""Signals of prepared folders on a device, once for all that read them there."""

from weakref import WeakKeyDictionary, WeakValueDictionary

import torch
from torch import Tensor

from faultdiag.errors import FaultdiagError
from faultdiag.prepared import Prepared

# They leave the device with the last that uses them.
_SIGNALS: "WeakKeyDictionary[Prepared, WeakValueDictionary[torch.device, Tensor]]"
_SIGNALS = WeakKeyDictionary()


def signals_on(prepared: Prepared, device: torch.device) -> Tensor:
    """Give the signals of a prepared folder on a device; all callers share one tensor.

    Raises
    ------
    FaultdiagError
        If the device has no room for them.
    """
    mine = _SIGNALS.setdefault(prepared, WeakValueDictionary())
    signals = mine.get(device)
    if signals is None:
        try:
            signals = torch.from_numpy(prepared.signals).to(device)
        except torch.OutOfMemoryError as error:
            raise FaultdiagError(
                f"the signals take {prepared.signals.nbytes / 1e9:.1f} GB, for which {device} has "
                "no room; use --device cpu, which reads them from the disk, or fewer recordings "
                "(data.select)"
            ) from error
        mine[device] = signals
    return signals
