"""The figures of docs/report.md that tests are too short for.

    python scripts/evidence_figures.py lines [--seeds 4]
    python scripts/evidence_figures.py lives [--lives 8] [--layout femto]
    python scripts/evidence_figures.py load [--recordings 2000]
    python scripts/evidence_figures.py cost MODEL RECORDING…

``lines``: simulated recordings of known fault over bearings, parts, speeds and levels of noise; how
often physics names the right part, and how often the strongest family of lines is its own.
``lives``: simulated runs to failure in the layouts of FEMTO, XJTU-SY and IMS, read by ``trend``.
``load``: the page of 2,000 recordings: its size, its making, and its load event in Chromium.
``cost``: what a report takes beside the prediction itself.
"""

import argparse
import csv
import html
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.api.trend import trend
from faultdiag.evidence.families import fault_families
from faultdiag.evidence.peaks import measure_envelopes
from faultdiag.evidence.physics import FAULT_LINES, physics_verdict
from faultdiag.evidence.trend import INDICATORS, Trend
from faultdiag.prediction.reading import ReadRequest
from faultdiag.signal.bearings import Bearing
from faultdiag.simulation.rig import Case, mounted, simulate_recording

Floats = NDArray[np.float64]

BEARINGS = ("6205", "6203", "6204", "8,0.2345,1.245", "16,0.331,2.815,15.17")
PARTS = ("inner", "outer", "ball")
# A recording that is read at another rate is one of another speed.
PACES = (0.4, 1.0, 1.6)
NOISES = (1.0, 4.0, 12.0)
FIRST = {"inner": 105, "ball": 118, "outer": 130}


@dataclass(frozen=True)
class Judged:
    """A simulated recording: its part, what physics names, and whose lines are the strongest."""

    part: str
    named: str | None
    line: str | None


def judge(bearing: Bearing, part: str, pace: float, noise: float, seed: int) -> Judged:
    case = Case(FIRST[part], part, "014", 0)
    made = simulate_recording(case, seconds=4.0, seed=seed, noise=noise, bearing=bearing)
    x, fs, rpm = made.channels["DE"], case.sampling_rate * pace, made.rpm * pace
    families = fault_families(measure_envelopes(x, fs, rpm=rpm, bearing=bearing), bearing)
    verdict = physics_verdict(x, fs, rpm, bearing)
    return Judged(part, verdict.part, families[0].fault if families else None)


def lines(seeds: int) -> None:
    """Print for each part what physics names, and whose lines are strongest where it is right."""
    found = [
        judge(mounted(name), part, pace, noise, 100 * i + seed)
        for i, name in enumerate(BEARINGS)
        for part, pace, noise in itertools.product(PARTS, PACES, NOISES)
        for seed in range(seeds)
    ]
    print("part   recordings  named right  wrong  none  own lines strongest")
    for part in (*PARTS, "all"):
        own = [j for j in found if part in {j.part, "all"}]
        right = [j for j in own if j.named == j.part]
        none = sum(j.named is None for j in own)
        matched = sum(j.line == FAULT_LINES[j.part] for j in right)  # type: ignore[index]
        wrong = len(own) - len(right) - none
        print(f"{part:6} {len(own):10} {len(right):12} {wrong:6} {none:5} {matched:9}")


@dataclass(frozen=True)
class Layout:
    """A run to failure on disk: how many samples a recording has, its name, and its columns."""

    samples: int
    fs: float
    name: Callable[[int], str]
    write: Callable[[Path, Floats, Floats], None]
    request: ReadRequest
    pattern: str | None = None


def _columns(path: Path, columns: Sequence[Floats], separator: str, head: str = "") -> None:
    rows = np.column_stack(columns)
    line = separator.join(["%.5g"] * rows.shape[1]) + "\n"
    path.write_text(head + (line * len(rows)) % tuple(rows.ravel().tolist()))


def _femto(path: Path, x: Floats, y: Floats) -> None:
    clock = [np.full(x.size, value) for value in (9.0, 39.0, 39.0)]
    _columns(path, [*clock, np.arange(x.size) / 25_600, x, y], ",")


def _xjtu(path: Path, x: Floats, y: Floats) -> None:
    head = "Horizontal_vibration_signals,Vertical_vibration_signals\n"
    _columns(path, [x, y], ",", head)


def _ims(path: Path, x: Floats, y: Floats) -> None:
    _columns(path, [x, y, y, y], "\t")


def _stamp(n: int) -> str:
    return (datetime(2003, 10, 22, 12, 6, 24) + timedelta(minutes=10 * n)).strftime(
        "%Y.%m.%d.%H.%M.%S"
    )


STATED = ReadRequest(Path(), None, 25_600.0, 1800.0, "13,3.5,25.6")
LAYOUTS = {
    "femto": Layout(
        2560, 25_600, lambda n: f"acc_{n + 1:05d}.csv", _femto, replace(STATED, channel="ch5")
    ),
    "xjtu_sy": Layout(32_768, 25_600, lambda n: f"{n + 1}.csv", _xjtu, STATED),
    "ims": Layout(
        20_480,
        20_000,
        _stamp,
        _ims,
        replace(STATED, sampling_rate=20_000.0, rpm=2000.0, bearing="16,0.331,2.815,15.17"),
        "*",
    ),
}
LIFE = 90


def _life(folder: Path, layout: Layout, seed: int) -> int:
    """Write a life whose inner race fails, and return from which recording on."""
    from faultdiag.signal.bearings import get_bearing

    rng = np.random.default_rng(seed)
    request = layout.request
    order = get_bearing(request.bearing or "").orders.bpfi
    rate, onset = order * (request.rpm or 0.0) / 60, int(rng.integers(50, 65))
    folder.mkdir(parents=True)
    for n in range(LIFE):
        gain = 1 + 0.03 * rng.standard_normal()
        x, y = (gain * rng.normal(size=layout.samples) for _ in range(2))
        strength = 0.0 if n < onset else 0.5 * 40 ** ((n - onset) / (LIFE - 1 - onset))
        x += strength * _impacts(rng, rate, layout)
        layout.write(folder / layout.name(n), x, y)
    return onset


def _impacts(rng: np.random.Generator, rate: float, layout: Layout) -> Floats:
    x = np.zeros(layout.samples)
    t = np.arange(200) / layout.fs
    ring = np.exp(-700 * t) * np.sin(2 * np.pi * 3000 * t)
    gaps = layout.fs / rate * (1 + 0.01 * rng.standard_normal(int(x.size * rate / layout.fs) + 1))
    for start in np.cumsum(gaps).astype(int).tolist():
        piece = ring[: max(x.size - start, 0)]
        x[start : start + piece.size] += piece
    return x


@dataclass(frozen=True)
class Outcome:
    """An indicator over one life: where its alarm is, and what is above the limit too early."""

    onset: int
    persistent: int | None
    early: int


def _outcome(found: Trend, name: str, onset: int) -> Outcome | None:
    indicator = found.indicators[name]
    if indicator.baseline is None or indicator.alarm is None:
        return None
    third = indicator.values[: LIFE // 3]
    early = int((third > indicator.baseline.limit).sum())
    return Outcome(onset, indicator.alarm.persistent, early)


def lives(count: int, names: Sequence[str]) -> None:
    """Print for each layout and indicator its alarms, and what is above the limit too early."""
    print("layout    indicator      alarms  too early  left of the life  above in the first third")
    for name in names:
        outcomes: dict[str, list[Outcome]] = {key: [] for key in INDICATORS}
        for seed in range(count):
            with tempfile.TemporaryDirectory() as folder:
                root, layout = Path(folder) / "life", LAYOUTS[name]
                onset = _life(root, layout, seed)
                found, _ = trend([root], [], layout.request, pattern=layout.pattern)
            for key in INDICATORS:
                if outcome := _outcome(found, key, onset):
                    outcomes[key].append(outcome)
        for key, own in outcomes.items():
            _print_lives(name, key, own)


def _print_lives(layout: str, indicator: str, own: Sequence[Outcome]) -> None:
    alarms = [o.persistent for o in own if o.persistent is not None]
    before = sum(o.persistent is not None and o.persistent < o.onset for o in own)
    left = f"{100 * (1 - np.median(alarms) / LIFE):.0f} %" if alarms else "-"
    early = f"{sum(o.early for o in own)} of {len(own) * (LIFE // 3)}"
    print(f"{layout:9} {indicator:14} {len(alarms)} of {len(own)} {before:10} {left:>17}  {early}")


FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCRIPT = """<script>addEventListener("load", () => setTimeout(() => {
const n = performance.getEntriesByType("navigation")[0], p = document.createElement("pre");
p.id = "outcome"; p.textContent = JSON.stringify([n.loadEventEnd, document.all.length]);
document.body.append(p)}, 0))</script></body>"""


def _faultdiag(*arguments: object) -> tuple[float, float]:
    """Run a command, and return the seconds of clock and of processor that it took."""
    command = [sys.executable, "-m", "faultdiag", *map(str, arguments)]
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user - before.children_user
    return time.perf_counter() - start, used + after.children_system - before.children_system


def _many(folder: Path, recordings: int) -> Path:
    """Return rows of many recordings: a few that were diagnosed, under many names."""
    few, rows_of_few = folder / "few", folder / "few.csv"
    _faultdiag("simulate", "--out", few, "--load", 1, "--seconds", 4)
    _faultdiag("predict", "bearing-types", few, "--evidence", "--out", rows_of_few, "--quiet")
    with rows_of_few.open(newline="", encoding="utf-8") as file:
        heading, *rows = csv.reader(file)
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        for number, row in zip(range(recordings), itertools.cycle(rows), strict=False):
            path = folder / f"machine{number % 40}" / f"{number:05d}_{Path(row[0]).name}"
            path.parent.mkdir(exist_ok=True)
            path.hardlink_to(row[0])
            writer.writerow([path, *row[1:]])
    return folder / "rows.csv"


def _loads(page: Path, folder: Path, times: int = 5) -> Iterator[tuple[float, int]]:
    """Yield seconds to the load event of a page and its elements, a fresh browser each time."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is installed")
    policy = r'<meta http-equiv="Content-Security-Policy"[^>]*>'
    text = re.sub(policy, "", page.read_text(encoding="utf-8")).replace("</body>", SCRIPT)
    timed = folder / "timed.html"
    timed.write_text(text, encoding="utf-8")
    for number in range(times):
        profile = f"--user-data-dir={folder / f'profile{number}'}"
        command = [browser, *FLAGS, profile, "--window-size=1280,1000", "--dump-dom"]
        done = subprocess.run(
            [*command, timed.as_uri()], capture_output=True, text=True, timeout=300, check=True
        )
        found = re.search(r'<pre id="outcome">(.*?)</pre>', done.stdout, re.S)
        if found is None:
            raise SystemExit("the page did not load")
        milliseconds, elements = json.loads(html.unescape(found[1]))
        yield milliseconds / 1000, elements


def load(recordings: int) -> None:
    """Print size, time and load event of a page of many recordings."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows, page = _many(folder, recordings), folder / "report.html"
        clock, used = _faultdiag("report", "bearing-types", rows, "--out", page, "--quiet")
        found = list(_loads(page, folder))
        size = page.stat().st_size / 1e6
    print(f"{recordings} recordings: {size:.1f} MB, made in {clock:.1f} s ({used:.1f} s processor)")
    seconds = [s for s, _ in found]
    print(
        f"load event: median {statistics.median(seconds):.2f} s of {len(seconds)}, "
        f"largest {max(seconds):.2f} s; {found[0][1]} elements; load {os.getloadavg()[0]:.1f}"
    )


def cost(model: str, paths: Sequence[str]) -> None:
    """Print what a report takes beside the prediction itself."""
    with tempfile.TemporaryDirectory() as folder:
        page, rows = Path(folder) / "report.html", Path(folder) / "rows.csv"
        plain, used = _faultdiag("predict", model, *paths, "--out", rows, "--quiet")
        whole, more = _faultdiag("report", model, *paths, "--out", page, "--quiet")
        size = page.stat().st_size / 1e6
    print(f"prediction {plain:.1f} s ({used:.1f} s processor)")
    print(f"report {whole:.1f} s ({more:.1f} s): {whole - plain:.1f} s beside it, {size:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lines").add_argument("--seeds", type=int, default=4)
    of_lives = commands.add_parser("lives")
    of_lives.add_argument("--lives", type=int, default=8)
    of_lives.add_argument("--layout", choices=sorted(LAYOUTS), action="append")
    commands.add_parser("load").add_argument("--recordings", type=int, default=2000)
    of_cost = commands.add_parser("cost")
    of_cost.add_argument("model")
    of_cost.add_argument("recordings", nargs="+")
    options = parser.parse_args()
    match options.command:
        case "lines":
            lines(options.seeds)
        case "lives":
            lives(options.lives, options.layout or sorted(LAYOUTS))
        case "load":
            load(options.recordings)
        case _:
            cost(options.model, options.recordings)


if __name__ == "__main__":
    main()
