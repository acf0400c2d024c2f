"""Pages in a headless browser: no error, no request, no sideways scrolling, and axe finds nothing.

They are skipped where no Chromium is installed.
"""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from faultdiag.report.pages.prediction import render_prediction
from faultdiag.report.pages.protocol import render_protocol
from faultdiag.report.pages.run import render_run
from tests.report.pages.samples import HOSTILE, over_time, prediction, protocol, result, run

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PAGES: dict[str, Callable[[], str]] = {
    "prediction": lambda: render_prediction(prediction(), "html"),
    "over time": lambda: render_prediction(prediction(over_time()), "html"),
    "hostile": lambda: render_prediction(prediction([result(n) for n in HOSTILE]), "html"),
    "run": lambda: render_run(run(), "html"),
    "protocol": lambda: render_protocol(protocol(), "html"),
}
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
# What a page says of itself, written where --dump-dom shows it.
REPORT = """
const errors = [];
addEventListener("error", e => errors.push(e.message));
addEventListener("securitypolicyviolation", e => errors.push("blocked " + e.blockedURI));
"""
# Shows the result of a promise in the page.
SHOW = """.then(r => {
const p = document.createElement("pre");
p.id = "outcome"; p.textContent = JSON.stringify(r); document.body.append(p);
})"""


@pytest.fixture(params=PAGES, scope="module")
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]()


def in_browser(page: str, folder: Path, script: str, *flags: str) -> object:
    """Run a script that gives a promise in the page, and return its result."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    tail = "<script>(async () => {" + script + "})()" + SHOW + "</script>"
    path = folder / "page.html"
    page = page.replace("<head>", f"<head><script>{REPORT}</script>", 1)
    path.write_text(page.replace("</body>", f"{tail}</body>"), encoding="utf-8")
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags]
    command += ["--virtual-time-budget=60000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    found = re.search(r'<pre id="outcome">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


def test_nothing_goes_wrong_and_nothing_is_fetched(page: str, tmp_path: Path) -> None:
    script = "return {errors, fetched: performance.getEntriesByType('resource').map(e => e.name)}"
    assert in_browser(page, tmp_path, script) == {"errors": [], "fetched": []}


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_does_not_scroll_sideways(page: str, width: int, tmp_path: Path) -> None:
    # A headless window is at least 500 pixels wide, a frame is as narrow as it is set to be.
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "inner.html").write_text(page, encoding="utf-8")
    style = f"width:{width}px;height:900px"
    frame = (
        "<!DOCTYPE html><html><head></head><body>"
        f'<iframe src="inner/inner.html" style="{style}"></iframe></body></html>'
    )
    script = (
        "const f = document.querySelector('iframe'); await new Promise(r => setTimeout(r, 3000));"
        "const d = f.contentDocument.documentElement; return [d.scrollWidth, d.clientWidth]"
    )
    flags = ("--allow-file-access-from-files", "--window-size=1400,1000")
    wide, visible = in_browser(frame, tmp_path, script, *flags)  # type: ignore[misc]
    assert wide <= visible


@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_axe_finds_nothing(page: str, scheme: int, tmp_path: Path) -> None:
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    safe = axe.replace("</script", r"<\/script")
    with_axe = page.replace("</head>", f"<script>{safe}</script></head>")
    script = (
        "const r = await axe.run(); return r.violations.map(v => [v.id, v.nodes.length, "
        "v.nodes[0].html.slice(0, 150), v.nodes[0].failureSummary])"
    )
    flag = f"--blink-settings=preferredColorScheme={scheme}"
    assert in_browser(with_axe, tmp_path, script, flag) == []
