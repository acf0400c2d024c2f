"""Arrays by the type of their numbers."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Integers = NDArray[np.integer]
"""Of any size, signed or not."""
