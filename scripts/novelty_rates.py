"""How often novelty marks recordings at a new load, and recordings of other machines.

    python scripts/novelty_rates.py data/cwru data/mfpt data/uestc

Each load of CWRU's drive-end faults is held out in turn, the model is trained on the other three
(configs/cwru_loads.yaml, split.valid: across), and the test segments at the held-out load are
compared with all recordings of the other folders. Novelty looks at spectra of windows and not at
the network, so a baseline that ignores the windows takes its place. Printed as JSON.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.checkpoint import load as load_checkpoint
from faultdiag.config.schema import Config, load_config
from faultdiag.novelty import Novelty
from faultdiag.prediction.diagnose import diagnose_files
from faultdiag.prediction.diagnoser import load
from faultdiag.preparing.folder import gather
from faultdiag.preparing.prepare import prepare
from faultdiag.training.session import train_run

CONFIG = Path(__file__).parents[1] / "configs" / "cwru_loads.yaml"
LOADS = (0, 1, 2, 3)


def held_out(load: int, root: Path, folder: Path) -> Config:
    """Return the config that tests one load and trains on the others."""
    train = [other for other in LOADS if other != load]
    settings = [f"data.root={root}", f"data.prepared={folder / 'prepared'}", "model={name: dummy}"]
    settings += [f"split.train={train}", f"split.test=[{load}]", "split.valid=across"]
    return load_config(CONFIG, settings)


def segment_scores(config: Config, fitted: Novelty) -> NDArray[np.float64]:
    """Return the novelty of the test segment of each recording."""
    prepared = prepare(config)
    windows = prepared.windows.of("test")
    raw = gather(prepared.signals, prepared.positions(windows), prepared.length)
    rows = windows.by_recording()
    return np.array([fitted.score(raw[windows.recording == number]) for number in rows])


def scores(load_hp: int, root: Path, others: list[Path], folder: Path) -> dict[str, Any]:
    """Train with one load held out; return the shares that are marked, and the AUROC."""
    config = held_out(load_hp, root, folder)
    train_run(config, run=folder / "run", device="cpu")
    fitted = load_checkpoint(folder / "run").novelty
    if fitted is None:
        raise SystemExit("the run has no novelty threshold")
    known = segment_scores(config, fitted)
    rows = list(diagnose_files(load(folder / "run", device="cpu"), others))
    strange = np.array([row.novelty for row in rows if row.novelty is not None])
    above = (strange[:, None] > known).mean() + (strange[:, None] == known).mean() / 2
    return {
        "load": load_hp,
        "stated rate": round(fitted.false_positive_rate, 4),
        "new load marked": f"{int((known > 1).sum())} of {len(known)}",
        "other machines marked": f"{int((strange > 1).sum())} of {len(others)}",
        "auroc": round(float(above), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("cwru", type=Path)
    parser.add_argument("others", type=Path, nargs="+")
    arguments = parser.parse_args()
    others = sorted(path for folder in arguments.others for path in folder.rglob("*.mat"))
    for load_hp in LOADS:
        with TemporaryDirectory() as folder:
            row = scores(load_hp, arguments.cwru.resolve(), others, Path(folder))
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
