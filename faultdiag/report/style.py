"""The one style sheet: colours, dashes and sizes of all pages and pictures.

The four colours of fault lines and of series are distinct with any of the common colour vision
deficiencies (by simulation, at least 30 units of CIE L*a*b* from each other), and have a contrast
of 4.5 to 1 or more against the paper, so that text may have them too.
"""

from dataclasses import dataclass

FAULT_STYLES = {"BPFO": 0, "BPFI": 1, "BSF": 2, "FTF": 3}
FAULT_NAMES = {
    "BPFO": "outer race",
    "BPFI": "inner race",
    "BSF": "ball",
    "FTF": "cage",
}
# Of lines, by style: SVG's stroke-dasharray in units of the drawing.
DASHES = ("", "7 3", "2 3", "9 3 2 3")


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of a page in light or in dark.

    Parameters
    ----------
    paper, panel
        Behind text, and behind tables' heads and figures.
    ink, muted
        Of text, and of what is less important.
    rule, grid
        Lines around tables, and inside charts.
    link
        Of links and of the focus.
    series
        Of curves and fault lines, by style.
    alarm, caution, good
        Of the states of a recording; always beside a word.
    """

    paper: str
    panel: str
    ink: str
    muted: str
    rule: str
    grid: str
    link: str
    series: tuple[str, str, str, str]
    alarm: str
    caution: str
    good: str


LIGHT = Palette(
    paper="#ffffff",
    panel="#f3f5f7",
    ink="#16202a",
    muted="#4d5a66",
    rule="#c3ccd4",
    grid="#e1e6ea",
    link="#0b4fb3",
    series=("#024ff5", "#bf5017", "#103b29", "#9c3897"),
    alarm="#a3161b",
    caution="#7a4a00",
    good="#13603c",
)
DARK = Palette(
    paper="#15191e",
    panel="#1e242b",
    ink="#e8edf2",
    muted="#a9b6c2",
    rule="#46525e",
    grid="#2c343c",
    link="#8ab8ff",
    series=("#5884fa", "#f94a07", "#43fbb6", "#ce63a4"),
    alarm="#ff8a8a",
    caution="#f0b95a",
    good="#6fd6a0",
)
