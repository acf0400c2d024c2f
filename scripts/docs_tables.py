"""Write the tables of README and docs from the results stored in docs/results.

    python scripts/docs_tables.py [--check]

A page marks the place of a table by ``<!-- result: NAME -->`` and ``<!-- end -->``; NAME is a file
``docs/results/NAME.json`` with ``columns``, ``rows`` and the ``command`` that gave them. With
--check nothing is written, and the exit code is 1 if a page differs from its results.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
PLACE = re.compile(r"(<!-- result: (?P<name>[\w-]+) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """The pages that may hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def table(name: str) -> str:
    """The table of a stored result as Markdown, with the command that gave it."""
    document: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    columns = document["columns"]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in document["rows"]]
    return "\n".join([*lines, "", f"*{document['command']}*", ""])


def rendered(text: str) -> str:
    """A page with its tables as the stored results give them."""
    return PLACE.sub(lambda found: f"{found[1]}\n{table(found['name'])}\n", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := rendered(text)) != text:
            stale.append(page.relative_to(ROOT))
            if not check:
                page.write_text(new, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'differs from its stored results' if check else 'updated'}")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
