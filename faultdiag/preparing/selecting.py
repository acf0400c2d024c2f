"""The recordings that a config asks for, and their classes."""

from collections.abc import Sequence

from faultdiag.config import Config
from faultdiag.datasets import DATASETS, Entry, Selection
from faultdiag.errors import FaultdiagError, did_you_mean


def select_recordings(config: Config) -> Selection:
    """Give the recordings that a config asks for and that are in its folder.

    Raises
    ------
    FaultdiagError
        If none is there, or a condition of ``data.select`` makes no sense.
    """
    data = config.data
    return DATASETS.build(data.dataset, data.root, **data.options).entries(data.select)


def label_entries(entries: Sequence[Entry], pattern: str) -> list[str]:
    """Give the class of each recording: the pattern with its facts filled in.

    Raises
    ------
    FaultdiagError
        If the pattern names a fact that a recording doesn't have, or gives one class only.
    """
    labels = [_label(entry, pattern) for entry in entries]
    if len(set(labels)) < 2:
        raise FaultdiagError(
            f"data.label {pattern!r} gives all {len(entries)} recordings the one class "
            f"'{labels[0]}'; two or more are needed: widen data.select or change data.label"
        )
    return labels


def _label(entry: Entry, pattern: str) -> str:
    facts = {key: "" if value is None else value for key, value in entry.facts.items()}
    try:
        label = pattern.format_map(facts)
    except KeyError as error:
        name = str(error.args[0])
        raise FaultdiagError(
            f"data.label {pattern!r} names the fact '{name}'{did_you_mean(name, facts)}; "
            f"{entry.path} has: {', '.join(facts)}"
        ) from error
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise FaultdiagError(
            f"data.label is {pattern!r} ({error}); write facts in braces, as in '{{code}}{{size}}'"
        ) from error
    if not label:
        raise FaultdiagError(f"data.label {pattern!r} gives {entry.path} an empty class")
    return label
