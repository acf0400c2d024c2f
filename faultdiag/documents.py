"""Types of documents: JSON, YAML, checkpoints, and rows of tables.

What a file holds is checked where it is read; these say that a value is such a document, or a part
of one, whose keys are texts.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

# A document that is being written or changed.
Json: TypeAlias = dict[str, Any]
# A document that is only read.
Document: TypeAlias = Mapping[str, Any]


def parse_json(text: str | bytes) -> Any:
    """Parse one JSON document.

    Raises
    ------
    ValueError
        If it is not JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
