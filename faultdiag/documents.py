"""Types of documents: JSON, YAML, checkpoints, and rows of tables.

What a file holds is checked where it is read; these say that a value is such a document, or a part
of one, whose keys are texts.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

# A document that is being written or changed.
Json: TypeAlias = dict[str, Any]
# A document that is only read.
Document: TypeAlias = Mapping[str, Any]
