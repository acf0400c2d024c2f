"""Store the facts that `faultdiag models` and `faultdiag attention` list.

    python scripts/list_figures.py

Run it after adding or changing a network, baseline or attention block; a test fails until then.
"""

import json
from pathlib import Path

from faultdiag.api import lists


def main() -> None:
    path = Path(lists.__file__).with_name(lists.STORED)
    text = json.dumps(lists.computed_facts(), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
