"""The other end of `benchmarks.side`: needs nothing but Python, whatever the environment."""

import sys
import time
from collections.abc import Callable, Mapping


def serve(works: Mapping[str, Callable[[], object]]) -> None:
    """Do the work that each line of stdin names and answer with its seconds, until stdin ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        work = works[line.strip()]
        began = time.perf_counter()
        work()
        print(time.perf_counter() - began, flush=True)
