"""Pages: valid HTML that needs nothing from outside, and that hostile names can't break."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from xml.etree.ElementTree import Element

import html5lib
import pytest

from faultdiag.bundled.catalogue import MODELS
from faultdiag.report import charts
from faultdiag.report.pages.prediction import (
    PredictionReport,
    RecordingResult,
    render_prediction,
)
from faultdiag.report.pages.protocol import render_protocol
from faultdiag.report.pages.run import render_run
from tests.report.pages.samples import (
    HOSTILE,
    MODEL,
    incomplete,
    over_time,
    prediction,
    protocol,
    result,
    run,
)

PAGES: dict[str, Callable[[str], str]] = {
    "prediction": lambda form: render_prediction(prediction(), form),
    "one recording": lambda form: render_prediction(prediction([result()]), form),
    "hostile": lambda form: render_prediction(
        prediction([result(name, label="IR") for name in HOSTILE]), form
    ),
    "over time": lambda form: render_prediction(prediction(over_time()), form),
    "no model": lambda form: render_prediction(prediction(model=None), form),
    "run": lambda form: render_run(run(), form),
    "hostile run": lambda form: render_run(run(list(HOSTILE), name=HOSTILE[0]), form),
    "empty run": lambda form: render_run(
        run(metrics={}, history=[], environment={}, failures=[], config=""), form
    ),
    "protocol": lambda form: render_protocol(protocol(), form),
    "empty protocol": lambda form: render_protocol(
        protocol(rows=[], failures=[], protocols={}), form
    ),
}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]("html")


def parsed(page: str) -> Element:
    """Parse strictly: every error of the HTML standard's parser is raised."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False, strict=True)
    tree: Element = parser.parse(page)
    return tree


def attributes(page: str, name: str) -> list[str]:
    return [value for element in parsed(page).iter() if (value := element.get(name)) is not None]


def text_of(element: Element) -> str:
    return "".join(element.itertext())


def test_the_page_is_valid_html(page: str) -> None:
    assert parsed(page).tag == "html"


def test_the_page_asks_for_nothing_from_outside(page: str) -> None:
    tree = parsed(page)
    assert not {e.tag for e in tree.iter()} & {"script", "link", "iframe", "object", "base", "form"}
    assert not [v for name in ("src", "srcset", "poster") for v in attributes(page, name)]
    assert all(href.startswith("#") for href in attributes(page, "href"))
    (sheet,) = (text_of(e) for e in tree.iter("style"))
    assert not re.search(r"url\(|@import|@font-face", sheet)
    assert "default-src 'none'" in page


def test_no_element_has_a_script_of_its_own(page: str) -> None:
    names = {name for element in parsed(page).iter() for name in element.attrib}
    assert not [name for name in names if name.lower().startswith("on")]


def test_ids_are_unique_and_all_references_lead_somewhere(page: str) -> None:
    ids = attributes(page, "id")
    assert len(ids) == len(set(ids))
    named = [
        i
        for name in ("aria-labelledby", "aria-describedby")
        for v in attributes(page, name)
        for i in v.split()
    ]
    assert set(named) <= set(ids)
    assert {href[1:] for href in attributes(page, "href")} <= set(ids)


def test_headings_descend_one_level_at_a_time(page: str) -> None:
    levels = [int(e.tag[1]) for e in parsed(page).iter() if re.fullmatch(r"h[1-6]", str(e.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_have_heads_and_pictures_have_names(page: str) -> None:
    tree = parsed(page)
    for table in tree.iter("table"):
        heads = list(table.iter("th"))
        assert heads
        assert all(head.get("scope") in {"col", "row"} for head in heads)
        assert all(text_of(head).strip() for head in heads)
    for svg in tree.iter("{http://www.w3.org/2000/svg}svg"):
        assert svg.get("role") == "img"
        assert svg.get("aria-labelledby")
    for group in (e for e in tree.iter("div") if e.get("tabindex")):
        assert group.get("aria-label")


def test_the_page_says_its_language_and_title(page: str) -> None:
    tree = parsed(page)
    assert tree.get("lang") == "en"
    (title,) = (text_of(e) for e in tree.iter("title") if "}" not in str(e.tag))
    assert title.strip()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(name: str) -> None:
    page = render_prediction(prediction([result(name)]), "html")
    shown = name.encode("unicode_escape").decode().replace("\\\\", "\\")
    body = text_of(parsed(page).find("body"))  # type: ignore[arg-type]
    assert shown in body
    for letter in "\x1b\x07\r\u202e":
        assert letter not in page


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_do_not_break_markdown_tables(name: str) -> None:
    text = render_prediction(prediction([result(name), result("b.mat")]), "md")
    rows = [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == 2
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "\n<script" not in text


def test_json_is_json_and_says_what_the_page_says() -> None:
    document = json.loads(render_prediction(prediction(), "json"))
    assert document["kind"] == "prediction"
    first = document["recordings"][0]
    assert (first["label"], first["finding"]["rank"]) == ("IR", "confirmed")
    assert first["evidence"]["agreement"] == "agrees"
    assert len(document["recordings"]) == 10
    assert json.loads(render_run(run(), "json"))["failures"][0]["predicted"] == "OR"
    assert json.loads(render_protocol(protocol(), "json"))["results"]["seeds"] == [0, 1]


def test_recordings_that_need_a_look_come_first_and_say_why() -> None:
    report = prediction(
        [result("d/fine.mat", "N", evidence=None), result("d/bad.mat", "OR"), result("d/sure.mat")]
    )
    names = [entry.result.path for entry in report.ranked()]
    assert names == ["d/sure.mat", "d/bad.mat", "d/fine.mat"]
    page = render_prediction(report, "html")
    assert "network: outer race (OR), 0.93; envelope: inner race" in page
    assert (
        "2 of 3 recordings need a look: 1 with a confirmed fault, 1 where network and envelope "
        "disagree." in page
    )


@pytest.mark.parametrize("form", ["html", "md"])
@pytest.mark.parametrize(("label", "guess"), [("OR", True), ("N", False)])
def test_a_recording_without_signature_says_so(form: str, label: str, guess: bool) -> None:
    unsure = result(label=label, evidence=None, views=None, signature="no")
    text = render_prediction(prediction([unsure]), form)
    assert f"{label} (no bearing signature)" in text
    assert "Bearing signature" in text
    assert "not found: the evidence for every part is below the threshold" in text
    assert ("little more than a guess" in text) is guess
    other = render_prediction(prediction([result(signature="yes")]), form)
    assert "found by the network" in other
    assert "no bearing signature)" not in other


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "the shaft speed is not known; give it with --rpm"),
        (1, "the bearing is not known; name it, or its geometry, with --bearing"),
        (3, "the recording is a single window of the model; record longer"),
        (5, "it is empty"),
    ],
)
def test_what_is_missing_is_said_with_how_to_add_it(number: int, words: str) -> None:
    assert words in render_prediction(prediction([incomplete()[number]]), "html")


def test_only_so_many_recordings_have_a_page_and_the_page_says_so() -> None:
    results = [result(f"d/{n}.mat", views=None) for n in range(30)]
    page = render_prediction(prediction(results, pages=12), "html")
    assert page.count('<article class="page"') == 12
    assert "18 recordings have no page of their own here" in page
    assert page.count('<td class="n">30</td>') == 1


def test_first_come_groups_by_rank_each_with_what_to_do() -> None:
    page = render_prediction(prediction(), "html")
    titles = [text_of(e) for e in parsed(page).iter("h4")]
    assert titles[:2] == [
        "Fault, confirmed: 3 recordings",
        "Network and envelope disagree: 1 recording",
    ]
    assert "Plan an inspection of these bearings." in page
    assert "next is OR, 0.05" not in page


def test_a_low_confidence_names_the_next_class() -> None:
    page = render_prediction(prediction([result(confidence=0.6)]), "html")
    assert "The confidence is below 0.7; next is OR, 0.05." in page


def test_recordings_without_diagnosis_are_grouped_by_reason_on_the_first_page() -> None:
    failed = [RecordingResult(f"d/{n}.mat", error=f"d/{n}.mat: it is empty") for n in range(7)]
    for form in ("html", "md"):
        page = render_prediction(prediction([*failed, result("d/x.mat")]), form)
        assert page.count("it is empty") == 1 + 7
        assert re.search(r"and 2 more\)?: it is empty", page)


def test_what_the_bundled_model_cannot_know_is_on_the_page() -> None:
    limits = MODELS["bearing-types"].limits
    page = render_prediction(prediction(model=replace(MODEL, limits=limits)), "html")
    for text in limits:
        assert text[1:] in html.unescape(page)


def test_an_assumed_rate_is_a_warning() -> None:
    report = prediction([result(sampling_rate_source="assumed")])
    assert "Nothing states the sampling rate of 1 recording;" in render_prediction(report, "html")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [charts.LIGHT, charts.DARK], ids=["light", "dark"])
def test_text_has_a_contrast_of_4_5(palette: charts.Palette) -> None:
    texts = (palette.ink, palette.muted, palette.link, palette.alarm, palette.caution, palette.good)
    assert min(contrast(text, palette.paper) for text in (*texts, *palette.series)) >= 4.5
    assert min(contrast(text, palette.panel) for text in (palette.ink, palette.muted)) >= 4.5


def test_the_rendering_of_a_report_is_deterministic() -> None:
    def made(report: PredictionReport) -> str:
        return render_prediction(report, "html")

    assert made(prediction([result()])) == made(prediction([result()]))
