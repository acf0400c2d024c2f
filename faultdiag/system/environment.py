"""The machine and the installation that a result was made with."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# A package of each extra that tells whether it is installed.
EXTRAS = {
    "onnx": "onnxruntime",
    "hub": "safetensors",
    "dask": "distributed",
    "explain": "captum",
    "tensorboard": "tensorboard",
    "tdms": "nptdms",
}


def processor_name() -> str:
    """Return the name of the processor, or its architecture where the system doesn't tell it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def installed_extras() -> dict[str, str]:
    """Return the extras that are installed, each with the version of its package."""
    versions = {}
    for extra, package in EXTRAS.items():
        try:
            versions[extra] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def commit() -> str | None:
    """Return the commit of the source tree that runs, with ``+`` if it was changed, or None."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    words = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
