"""What was measured, as lines to read."""

from collections.abc import Callable, Sequence
from typing import Any


def throughput(found: dict[str, Any]) -> list[str]:
    """Windows per second, and how many times faster faultdiag is."""
    lines = []
    for work, sides in found.items():
        for name, row in sides.items():
            line = f"{work}, {name}: {row['windows_per_s']:,.0f} windows/s"
            if name != "faultdiag":
                low, high = row["ratios"][0], row["ratios"][-1]
                line += f"; faultdiag is {row['times_faultdiag']:.2f} times as fast"
                line += f" ({low:.2f} to {high:.2f} over {len(row['ratios'])} rounds)"
            lines.append(line)
    return lines


def command(found: dict[str, Any]) -> list[str]:
    """Whole command beside its fit."""
    return [
        f"train, prompt to exit: {found['command_s']:.1f} s, its fit {found['fit_s']:.1f} s; "
        f"bar 1.3 x fit + 3 s = {found['bar_s']:.1f} s: {_word(found['met'])}"
    ]


def memory(found: Sequence[dict[str, Any]]) -> list[str]:
    """Anonymous memory beside the signals."""
    return [
        f"memory at stride {row['stride']}: {row['train_mib']:.0f} MiB anonymous, "
        f"{row['tiny_mib']:.0f} on tiny recordings, signals {row['signals_mib']:.1f} MiB; above "
        f"tiny {row['above_tiny']:.2f} x the signals, bar 1.5: {_word(row['met'])}"
        for row in found
    ]


def start_up(found: dict[str, Any]) -> list[str]:
    """Seconds until an answer."""
    return [
        f"--help: {found['help_s']:.2f} s, bar 0.3; "
        f"error in the structure of a config: {found['bad_config_s']:.2f} s, bar 0.7"
    ]


def _word(met: bool) -> str:
    return "met" if met else "missed"


TEXTS: dict[str, Callable[[Any], list[str]]] = {
    "throughput": throughput,
    "command": command,
    "memory": memory,
    "start-up": start_up,
}
