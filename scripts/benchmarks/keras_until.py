"""The Keras side until an accuracy is reached.

python -m benchmarks.keras_until FOLDER LEVEL SEED
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks.keras_side import BATCH, build, set_seed
from benchmarks.until import until


def main() -> None:
    folder, level, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    set_seed(seed)
    x, y = _windows(folder, "")
    network = build(int(y.max()) + 1)
    valid = _windows(folder, "valid_")
    until(
        level,
        lambda: network.fit(x, y, batch_size=BATCH, epochs=1, verbose=0),
        lambda: network.evaluate(*valid, batch_size=512, verbose=0)[1],
    )


def _windows(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    raw = np.load(folder / f"{part}windows.npy").transpose(0, 2, 1)
    x = (raw - raw.mean(1, keepdims=True)) / raw.std(1, keepdims=True)
    return x, np.load(folder / f"{part}labels.npy")


if __name__ == "__main__":
    main()
