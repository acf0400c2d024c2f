"""The lists of networks, baselines and attention blocks as text."""

from collections.abc import Sequence
from typing import Any

from faultdiag.documents import Document

Facts = Document


def models_text(facts: Sequence[Facts]) -> str:
    """Return the facts as text: a line of numbers for each network, its options and source."""
    networks = [_network(fact) for fact in facts if fact["kind"] == "network"]
    baselines = [_baseline(fact) for fact in facts if fact["kind"] == "baseline"]
    return "\n\n".join(
        [
            "Networks, at 1 channel, 10 classes and windows of 2048 samples:",
            *networks,
            "Baselines, on hand-made features of the windows:",
            *baselines,
        ]
    )


def _network(fact: Facts) -> str:
    places = "1" if fact["positions"] == 1 else f"1 to {fact['positions']}"
    classes = "" if fact["classes"] == 10 else f" ({fact['classes']} classes)"
    seen = f"windows of {fact['minimum_length']} samples or more"
    if fact["representation"] != "raw":
        seen = f"on {fact['representation']}"
    return (
        f"{fact['name']:<14} {fact['parameters']:>9,} parameters "
        f"{fact['multiply_adds']:>11,} multiply-adds{classes}  attention after {places}, {seen}\n"
        f"{_options_and_source(fact)}"
    )


def _baseline(fact: Facts) -> str:
    shortest = fact["minimum_length"]
    length = f"windows of {shortest} samples or more" if shortest > 1 else "any window"
    return f"{fact['name']:<15} {fact['summary']} ({length})\n{_options_and_source(fact)}"


def _options_and_source(fact: Facts) -> str:
    options = ", ".join(f"{key}={_yaml(value)}" for key, value in fact["options"].items())
    return f"    options: {options or 'none'}\n    {fact['reference']}"


def _yaml(value: Any) -> str:
    """Return a default as YAML writes it."""
    if value is None:
        return "null"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)


def bundled_text(facts: Sequence[Facts]) -> str:
    """Return the models in the box as text: what each does, and what it can't know."""
    return "\n\n".join(_bundled(fact) for fact in facts)


def _bundled(fact: Facts) -> str:
    lines = [
        f"{fact['name']}: {fact['summary']}",
        f"    classes: {', '.join(fact['classes'])}; {fact['bytes'] / 1000:.0f} kB; windows of "
        f"{fact['seconds']:g} s",
        f"    faultdiag predict {fact['name']} FILE --bearing 6205 --rpm 1797",
        *(f"    - {limit}" for limit in fact["limits"]),
        f"    card: {fact['card']}",
    ]
    return "\n".join(lines)


def attention_text(facts: Sequence[Facts]) -> str:
    """Return the facts as text: what each block does, its sizes, its options and its source."""
    head = "Parameters at 16, 32, 64 and 128 channels; multiply-adds at 32 channels, length 32:"
    return "\n\n".join([head, *(_block(fact) for fact in facts)])


def _block(fact: Facts) -> str:
    sizes = " / ".join(f"{size:,}" for size in fact["parameters"].values())
    options = ", ".join(f"{key}={value}" for key, value in fact["options"].items())
    return (
        f"{fact['name']:<18} {sizes} parameters, {fact['multiply_adds']:,} multiply-adds\n"
        f"    {fact['summary']}\n"
        f"    options: {options or 'none'}\n"
        f"    {fact['reference']}"
    )
