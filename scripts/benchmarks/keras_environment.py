"""An environment with Keras 3 and TensorFlow, apart from the project's own."""

import os
import subprocess
import sys
from pathlib import Path

PACKAGES = ("keras>=3", "tensorflow-cpu")


def default_folder() -> Path:
    """Where the environment is made unless a folder is named."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "faultdiag-benchmark", "keras")


def keras_python(folder: Path) -> Path:
    """Return the interpreter of the environment in a folder, made there if it isn't yet."""
    python = folder.resolve() / "bin" / "python"
    if not _has_keras(python):
        print(f"making an environment with Keras in {folder} (once; TensorFlow is large)")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(install, check=True)
    return python


def keras_versions(python: Path) -> dict[str, str]:
    """Versions of Keras and TensorFlow in an environment."""
    code = (
        "from importlib.metadata import version; print(version('keras'), version('tensorflow-cpu'))"
    )
    done = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    return dict(zip(("keras", "tensorflow"), done.stdout.split(), strict=True))


def _has_keras(python: Path) -> bool:
    code = "import importlib.util as u, sys; sys.exit(not u.find_spec('keras'))"
    return (
        python.exists() and subprocess.run([str(python), "-c", code], check=False).returncode == 0
    )
