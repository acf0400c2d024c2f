"""faultdiag beside a plain PyTorch loop and Keras: speed, whole commands, memory, start-up.

    python scripts/benchmark.py [PART ...] [--rounds N] [--threads N] [--keras [FOLDER]] [--json F]

Parts: throughput (training and inference, windows per second), command (`faultdiag train` from
prompt to exit beside the fit itself), memory (anonymous memory of `train` at two overlaps and
two sizes; takes some minutes), start-up. All of them unless some are named.

All sides of throughput get the same windows (10 classes, 700 training windows each, 2048 samples),
the same network (WDCNN with ECA after block 2) and batches of 128; each is a process of its own and
works in turn. --keras makes an environment with Keras 3 and TensorFlow in a folder, by default in
the user's cache, and adds that side. Medians and ratios are printed; machines are shared and
noisy: quote the ratios.
"""

import argparse
import datetime
import platform
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import printing
from benchmarks.data import Material, write_material
from benchmarks.keras_environment import default_folder, keras_python, keras_versions
from benchmarks.processes import command_time, memory, start_up
from benchmarks.throughput import compare

from faultdiag.checkpoint import package_versions
from faultdiag.system.files import write_json

PARTS = ("throughput", "command", "memory", "start-up")


def setting() -> dict[str, Any]:
    """Date, processor, commit and versions."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": _processor(),
        "commit": _commit(),
        "versions": package_versions(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure the parts asked for, and print each as it is done."""
    result = setting()
    keras = keras_python(arguments.keras) if arguments.keras else None
    if keras:
        result["versions"] |= keras_versions(keras)
    print(f"{result['date']}, {result['processor']}, commit {result['commit']}", flush=True)
    material = write_material(folder)
    for part in arguments.parts or PARTS:
        result[part] = _work(part, material, arguments, keras)()
        print("\n".join(printing.TEXTS[part](result[part])), flush=True)
    return result


def _work(
    part: str, material: Material, arguments: argparse.Namespace, keras: Path | None
) -> Callable[[], Any]:
    works: dict[str, Callable[[], Any]] = {
        "throughput": lambda: compare(
            material,
            arguments.rounds,
            threads=arguments.threads,
            keras=keras,
            bfloat16=arguments.bfloat16,
        ),
        "command": lambda: command_time(material, min(arguments.rounds, 3)),
        "memory": lambda: memory(material.folder, arguments.sizes),
        "start-up": lambda: start_up(material.folder, 2 * arguments.rounds),
    }
    return works[part]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="of every side; 0: its own default")
    parser.add_argument("--keras", type=Path, nargs="?", const=default_folder(), metavar="FOLDER")
    parser.add_argument("--bfloat16", action="store_true", help="faultdiag in bfloat16, too")
    parser.add_argument(
        "--sizes", type=float, nargs="+", default=[10.0, 20.0], help="for memory, in seconds"
    )
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as name:
        result = measure(arguments, Path(name))
    if arguments.json:
        write_json(arguments.json, result)


if __name__ == "__main__":
    main()
