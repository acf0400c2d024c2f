"""Train the model in the box, ``bearing-types``, on public recordings, and write it.

    python scripts/train_bearing_types.py data/cwru

It needs the CWRU recordings of `DRIVE_END` and `FAN_END` in a folder (`faultdiag fetch cwru`).
Combs and training are in double precision and the weights are rounded at the end, so that the same
recordings give the same weights on any processor. No recording of another rig is read: those test
the model.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from faultdiag.bundled.catalogue import MODELS
from faultdiag.checkpoint import Checkpoint, save
from faultdiag.config.schema import parse_config
from faultdiag.datasets import DATASETS
from faultdiag.datasets.base import Entry
from faultdiag.datasets.load import load_entry
from faultdiag.metrics.calibration import fit_temperature
from faultdiag.models.spec import ModelSpec, parse_spec
from faultdiag.models.tied import head_of
from faultdiag.signal.bearings import conditions, get_bearing
from faultdiag.signal.resampling import resample
from faultdiag.signature import fit_signature, to_stored
from faultdiag.simulation.rig import Case, cases, mounted, simulate_recording

RATE, LENGTH, STRIDE = 12_000, 36_000, 42_000
CLASSES = ("ball", "healthy", "inner", "outer")
HEALTHY = (97, 99)  # 0 and 2 hp
# Trained on: inner race, ball and outer race of the drive end at 7, 14 and 21 mil, 0-3 hp.
DRIVE_END = (
    *HEALTHY,
    *range(105, 109),
    *range(118, 122),
    *range(130, 134),
    *range(169, 173),
    *range(185, 189),
    *range(197, 201),
    *range(209, 213),
    *range(222, 226),
    *range(234, 238),
)
# Held out for temperature and signature: the same faults of the fan end, another bearing, at 0 hp.
FAN_END = (*HEALTHY, 270, 274, 278, 282, 286, 290, 294, 298, 302, 310, 313, 315)
BEARINGS = {"DE": "6205", "FE": "6203"}
# A simulated machine, too, ten recordings: no ball of CWRU's drive end shows its fault lines.
SIMULATED, SECONDS = "6204 KG", 6.0
STEPS, BATCH, LEARNING_RATE, DECAY, SMOOTHING, SEED = 200, 64, 2e-2, 1e-2, 0.02, 0
NOISE = 100  # windows
BASIS = "held-out recordings of another bearing (CWRU, fan end)"
# What the checkpoint says of its data.
CONFIG: dict[str, Any] = {
    "data": {
        "dataset": "cwru",
        "channels": ["DE"],
        "sampling_rate": RATE,
        "select": {"number": list(DRIVE_END)},
        "label": "{fault}",
        "healthy": ["healthy"],
    },
    "window": {"length": LENGTH, "stride": STRIDE},
    "model": {"name": "tied_z"},
}
# Significant digits of a weight: fewer than those in which two processors differ.
DIGITS = 6


@dataclass(frozen=True)
class Combs:
    """Combs of windows ``(windows, channels, teeth)``, their classes and recordings."""

    values: torch.Tensor
    labels: NDArray[np.int64]
    recordings: NDArray[np.int64]

    def __add__(self, other: "Combs") -> "Combs":
        return Combs(
            torch.cat((self.values, other.values)),
            np.concatenate((self.labels, other.labels)),
            np.concatenate((self.recordings, other.recordings)),
        )


def spec() -> ModelSpec:
    """Return what is trained: tied_z on windows of 3 s."""
    options = {"parts": ["ball", "normal", "inner", "outer"]}
    return parse_spec("tied_z", 1, len(CLASSES), length=LENGTH, sampling_rate=RATE, options=options)


def front() -> nn.Module:
    """Build the front end, which computes the combs."""
    built = spec().front.build(1, LENGTH, RATE)
    assert built is not None
    return built


def entries(root: Path, numbers: Sequence[int]) -> list[Entry]:
    """Return recordings in the order of their numbers."""
    selection = DATASETS.build("cwru", root).entries({"number": list(numbers)})
    if selection.missing:
        raise SystemExit(f"{root} lacks: {', '.join(selection.missing)}")
    return selection.entries


def windows_of(signal: NDArray[np.floating], stride: int) -> NDArray[np.float64]:
    """Return windows ``(windows, 1, length)`` of a signal ``(1, samples)``."""
    starts = range(0, signal.shape[1] - LENGTH + 1, stride)
    return np.stack([signal[:, start : start + LENGTH] for start in starts]).astype(np.float64)


def combs(recordings: Iterable[tuple[int, str, float | None, NDArray[Any]]], bearing: str) -> Combs:
    """Return the combs of recordings: number, fault, speed in rpm and windows of each."""
    values, labels, numbers = [], [], []
    orders = get_bearing(bearing)
    for number, fault, rpm, windows in recordings:
        known = torch.tensor([conditions(rpm, orders)] * len(windows), dtype=torch.float64)
        values.append(front()(torch.from_numpy(windows), known))
        labels += [CLASSES.index("healthy" if fault == "normal" else fault)] * len(windows)
        numbers += [number] * len(windows)
    return Combs(torch.cat(values), np.array(labels), np.array(numbers))


def measured(root: Path, numbers: Sequence[int], end: str) -> Combs:
    """Return the combs of recordings at one end, at the orders of the bearing there."""

    def read(entry: Entry) -> tuple[int, str, float | None, NDArray[Any]]:
        recording = load_entry(entry, [end], RATE)
        windows = windows_of(recording.signal, STRIDE)
        return int(str(entry.facts["number"])), str(entry.facts["fault"]), recording.rpm, windows

    return combs(map(read, entries(root, numbers)), BEARINGS[end])


def simulated(name: str = SIMULATED, seed: int = 1) -> Combs:
    """Return the combs of simulated recordings, whose balls strike as those of CWRU do not."""

    def simulate(case: Case) -> tuple[int, str, float | None, NDArray[Any]]:
        bearing = mounted(name)
        recording = simulate_recording(case, seconds=SECONDS, seed=seed, bearing=bearing)
        signal = recording.channels["DE"][None].astype(np.float32)
        if case.sampling_rate != RATE:
            signal = resample(signal, case.sampling_rate, RATE)
        windows = windows_of(signal, LENGTH)
        return 10_000 + case.number, case.place or "normal", round(recording.rpm), windows

    return combs(map(simulate, cases([0])), name)


def batches(combs: Combs, rng: np.random.Generator) -> Iterator[torch.Tensor]:
    """Draw batches: a class, of it a recording, of it a window, each equally often."""
    of_recording = {n: np.flatnonzero(combs.recordings == n) for n in np.unique(combs.recordings)}
    of_class = [np.unique(combs.recordings[combs.labels == c]) for c in np.unique(combs.labels)]
    for _ in range(STEPS):
        numbers = [rng.choice(of_class[place % len(of_class)]) for place in range(BATCH)]
        yield torch.tensor([rng.choice(of_recording[number]) for number in numbers])


def build(combs: Combs) -> nn.Module:
    """Build the network for combs."""
    return spec().build_network(*combs.values.shape[1:])


def train(combs: Combs, seed: int = SEED, build: Callable[[Combs], nn.Module] = build) -> nn.Module:
    """Train the network on combs, and return it in evaluation mode, its weights rounded."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    network = build(combs).double()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=LEARNING_RATE, weight_decay=DECAY, foreach=False
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for rows in batches(combs, rng):
        labels = torch.from_numpy(combs.labels)[rows]
        logits = network(combs.values[rows])
        loss = functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    rounded = {name: _rounded(tensor) for name, tensor in network.state_dict().items()}
    network.load_state_dict(rounded)
    return network.eval()


def _rounded(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    values = [_digits(value) for value in tensor.flatten().tolist()]
    return torch.tensor(values, dtype=tensor.dtype).view(tensor.shape)


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


@torch.inference_mode()
def calibrate(network: nn.Module, held_out: Combs) -> dict[str, Any]:
    """Fit temperature and signature on recordings that were not trained on, and on noise."""
    logits = network(held_out.values).numpy()
    independent = len(np.unique(held_out.recordings))
    temperature = fit_temperature(logits, held_out.labels, independent=independent)
    head = head_of(network)
    assert head is not None
    noise = network(noise_combs()).numpy()
    fitted = fit_signature(head, logits, held_out.labels, noise, basis=BASIS)
    signature = to_stored(replace(fitted, threshold=_digits(fitted.threshold)))
    return {"temperature": _digits(temperature), "fitted_on": BASIS, "signature": signature}


def noise_combs() -> torch.Tensor:
    """Return the combs of windows of white noise, at the orders of both bearings."""
    rng = np.random.default_rng(SEED)
    windows = torch.from_numpy(rng.standard_normal((NOISE, 1, LENGTH)))
    known = [conditions(1797, get_bearing(name)) for name in BEARINGS.values()]
    rows = torch.tensor(known * (NOISE // len(known)), dtype=torch.float64)
    values: torch.Tensor = front()(windows, rows)
    return values


def model(root: Path) -> Checkpoint:
    """Train the model on the recordings in a folder, and return it as it is shipped."""
    network = train(measured(root, DRIVE_END, "DE") + simulated())
    calibration = calibrate(network, measured(root, FAN_END, "FE"))
    weights = {f"network.{name}": tensor.float() for name, tensor in network.state_dict().items()}
    return Checkpoint(
        model=weights,
        model_spec=spec(),
        classes=CLASSES,
        healthy=("healthy",),
        sampling_rate=RATE,
        channels=("DE",),
        window={"length": LENGTH, "stride": STRIDE, "per_class": None, "test_stride": LENGTH},
        normalize={"name": "window_zscore", "state": {}},
        config=parse_config(CONFIG).model_dump(mode="json"),
        epoch=1,
        metrics={},
        calibration=calibration,
    )


def main() -> None:
    """Write the model into the package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder of the CWRU recordings")
    parser.add_argument("--out", type=Path, default=MODELS["bearing-types"].path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    save(options.out, model(options.root))
    print(f"wrote {options.out}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
