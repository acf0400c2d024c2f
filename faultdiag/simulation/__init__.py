"""CWRU-style recordings made by bearing physics, for trying things out without any download."""

from faultdiag.simulation.folder import MARK, simulate_folder, simulated_files
from faultdiag.simulation.rig import LOADS, SIZES, Case, Simulated, cases, simulate_recording

__all__ = [
    "LOADS",
    "MARK",
    "SIZES",
    "Case",
    "Simulated",
    "cases",
    "simulate_folder",
    "simulate_recording",
    "simulated_files",
]
