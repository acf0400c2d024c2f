"""A report of a prediction: what is known of each recording, and the page that shows it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import PurePath

from faultdiag.errors import counted
from faultdiag.evidence.details import SignalViews
from faultdiag.evidence.explanation import Explanation
from faultdiag.evidence.gather import Evidence
from faultdiag.evidence.physics import Agreement, part_of
from faultdiag.evidence.severity import MEANING, Severity
from faultdiag.prediction.rows import NO_SIGNATURE
from faultdiag.report.charts import Chart
from faultdiag.report.findings import (
    ADVICE,
    COUNTED,
    STATES,
    EnvelopeSummary,
    Finding,
    Rank,
    finding,
    summarise,
)
from faultdiag.report.pages.recording_charts import explanation_charts, signal_charts
from faultdiag.report.pages.render import html, markdown, percent, to_json
from faultdiag.report.pages.svg import draw_svg
from faultdiag.report.trend import charts_over_time
from faultdiag.signal.bearings import KnownBearing

# Recordings with a page of their own, those that need a look first.
MOST_PAGES = 60
MOST_FIRST = 20
MOST_CLASSES = 8
# Names of recordings that share one reason.
MOST_NAMES = 5
# Rows of a table: a browser lays out long lists block by block, as they are scrolled to.
BLOCK = 250
SEVERITY_NOTE = (
    "The zones of ISO 20816-3 grade the vibration of a whole machine, measured on its bearing "
    "housings. They say nothing about which part is faulty."
)
ONE_WINDOW = (
    "how steady the diagnosis is: the recording is a single window of the model; record longer"
)
UNIT_SOURCES = {"argument": "as --units states", "file": "as the name of the channel states"}
AGREEMENTS: dict[Agreement, str] = {
    "agrees": "agrees with the network",
    "disagrees": "disagrees with the network",
    "no signature": "neither confirms nor contradicts it: there is no bearing signature",
    "unknown": "can't be compared",
}

SIGNATURES = {
    "yes": "found by the network",
    "no": "not found: the evidence for every part is below the threshold of the network",
}


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """Facts about the model of a prediction.

    Parameters
    ----------
    name
        The run folder or file of the model.
    classes, healthy
        Its classes, and those of them that are healthy.
    sampling_rate, window_seconds
        Rate in Hz and length in seconds of its windows.
    channels
        Names of its channels.
    novelty
        Whether it measures how far a recording is from the training data.
    limits
        Its other limits, in sentences.
    """

    name: str
    classes: tuple[str, ...]
    healthy: tuple[str, ...]
    sampling_rate: float
    window_seconds: float
    channels: tuple[str, ...]
    novelty: bool
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RecordingResult:
    """The results for one recording; everything but the path may be missing.

    Parameters
    ----------
    path, error
        The path as the user wrote it, and the reason if there is no diagnosis.
    label, confidence, agreement, windows, probabilities, novelty, signature
        The diagnosis; `agreement` is the share of windows that have the same class, `signature`
        what the network says of a bearing fault's signature: ``yes``, ``no`` or None.
    sampling_rate, sampling_rate_source, rpm, channel, bearing
        Facts that the diagnosis used.
    evidence, explanation, severity, views
        Further results, if computed.
    envelope
        Summary of the envelope, if the evidence itself is not known.
    warnings, missing
        Oddities, and missing results with the way to get them.
    time
        Time of the recording, if a manifest or the file states it.
    """

    path: str
    error: str | None = None
    label: str | None = None
    confidence: float | None = None
    agreement: float | None = None
    windows: int | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    novelty: float | None = None
    signature: str | None = None
    sampling_rate: float | None = None
    sampling_rate_source: str | None = None
    rpm: float | None = None
    channel: str | None = None
    bearing: KnownBearing | None = None
    evidence: Evidence | None = None
    explanation: Explanation | None = None
    severity: Severity | None = None
    views: SignalViews | None = None
    envelope: EnvelopeSummary | None = None
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    time: datetime | None = None

    def finding(self, healthy: Sequence[str]) -> Finding:
        """Return the meaning of the diagnosis for the machine."""
        if self.label is None or self.confidence is None:
            return Finding(Rank.NOT_DIAGNOSED, (self.error or "there is no diagnosis",))
        return finding(
            self.label,
            self.confidence,
            healthy=part_of(self.label, healthy) == "healthy",
            probabilities=self.probabilities,
            novelty=self.novelty,
            signature=self.signature,
            envelope=self.envelope_summary,
        )

    @property
    def envelope_summary(self) -> EnvelopeSummary | None:
        """Summary of the envelope."""
        return summarise(self.evidence) if self.evidence else self.envelope


@dataclass(frozen=True, eq=False)
class PredictionReport:
    """All recordings of a prediction, and the model that diagnosed them.

    Parameters
    ----------
    model
        None if only the rows are known.
    results
        One for each recording.
    made, version
        Time of the report, and the version of faultdiag.
    pages
        Most recordings that get a page of their own.
    """

    model: ModelFacts | None
    results: Sequence[RecordingResult]
    made: datetime
    version: str
    pages: int = MOST_PAGES

    @property
    def healthy(self) -> tuple[str, ...]:
        """The healthy classes, as far as they are known."""
        return self.model.healthy if self.model else ()

    def ranked(self) -> list["RankedResult"]:
        """Return the recordings with their findings, those that need a look first."""
        ranked = [
            RankedResult(number, result, result.finding(self.healthy))
            for number, result in enumerate(self.results, 1)
        ]
        return sorted(ranked, key=RankedResult.order)


@dataclass(frozen=True, eq=False)
class RankedResult:
    """A recording with its number in the prediction and its finding."""

    number: int
    result: RecordingResult
    finding: Finding

    def order(self) -> tuple[int, float, int]:
        """Return the sort key: rank, then the surest, then the first."""
        return self.finding.rank, -(self.result.confidence or 0.0), self.number


@dataclass(frozen=True, eq=False)
class RecordingRow:
    """A recording as the page shows it, in the tables and on its own page."""

    number: int
    name: str
    result: RecordingResult
    finding: Finding
    page: bool

    @property
    def diagnosis(self) -> str:
        """The class, and whether the network found no signature, for the table."""
        label = self.result.label or "–"
        return f"{label} ({NO_SIGNATURE})" if self.result.signature == "no" else label

    @property
    def envelope(self) -> str:
        """Text of the envelope for the table."""
        summary = self.result.envelope_summary
        return summary.words if summary else "–"

    @property
    def probabilities(self) -> list[tuple[str, float]]:
        """The most probable classes."""
        pairs = sorted(self.result.probabilities.items(), key=lambda pair: -pair[1])
        return pairs[:MOST_CLASSES]

    @property
    def charts(self) -> list[Chart]:
        """The charts of its own page."""
        result = self.result
        charts: list[Chart] = []
        if result.views:
            charts += signal_charts(result.views, result.evidence, result.bearing)
        if result.explanation:
            charts += explanation_charts(result.explanation)
        return charts

    @property
    def missing(self) -> tuple[str, ...]:
        """Missing results, with the way to get them."""
        evidence = self.result.evidence.missing if self.result.evidence else ()
        explanation = self.result.explanation.missing if self.result.explanation else ()
        single = (ONE_WINDOW,) if self.result.windows == 1 else ()
        return (*single, *self.result.missing, *evidence, *explanation)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Facts that the diagnosis used."""
        return recording_facts(self.result)

    @property
    def evidence(self) -> list[tuple[str, str]]:
        """Evidence in words."""
        return evidence_facts(self.result)


@dataclass(frozen=True, eq=False)
class RankGroup:
    """Recordings of one rank that need a look, and what to do about them.

    ``rows`` are the first of them, `count` is how many there are.
    """

    rank: Rank
    rows: list[RecordingRow]
    count: int

    @property
    def title(self) -> str:
        """The rank, and how many recordings have it."""
        state = STATES[self.rank][0]
        return f"{state[0].upper()}{state[1:]}: {counted(self.count, 'recording')}"

    @property
    def advice(self) -> str:
        """Advice."""
        return ADVICE[self.rank]

    @property
    def tone(self) -> str:
        """The tone of the rank."""
        return STATES[self.rank][1]

    @property
    def more(self) -> int:
        """Number of recordings that are not listed."""
        return self.count - len(self.rows)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why recordings could not be diagnosed: one reason, the first of their names, their count."""

    reason: str
    names: tuple[str, ...]
    count: int

    @property
    def words(self) -> str:
        """The recordings, in words."""
        more = self.count - len(self.names)
        return ", ".join(self.names) + (f" and {more} more" if more else "")


@dataclass(frozen=True, eq=False)
class PredictionView:
    """Values for the template of a prediction."""

    lead: str
    figures: list[tuple[int, str]]
    first: list[RankGroup]
    refusals: list[Refusal]
    blocks: list[list[RecordingRow]]
    novelty: bool
    rows: list[RecordingRow]
    pages: list[RecordingRow]
    limits: list[str]
    warnings: list[str]
    over_time: list[Chart]

    @property
    def without_page(self) -> int:
        """Number of recordings without a page of their own."""
        return len(self.rows) - len(self.pages)


def prediction_view(report: PredictionReport) -> PredictionView:
    """Arrange a prediction for its page."""
    ranked = report.ranked()
    with_page = {entry.number for entry in ranked[: report.pages]}
    names = display_names([result.path for result in report.results])
    rows = [
        RecordingRow(
            entry.number,
            names[entry.number - 1],
            entry.result,
            entry.finding,
            entry.number in with_page,
        )
        for entry in ranked
    ]
    ordered = sorted(rows, key=lambda row: row.number)
    return PredictionView(
        lead=_lead(rows),
        figures=_figures(rows),
        first=_groups(rows),
        refusals=_refusals(ordered),
        blocks=[ordered[i : i + BLOCK] for i in range(0, len(ordered), BLOCK)],
        novelty=any(row.result.novelty is not None for row in rows),
        rows=ordered,
        pages=[row for row in rows if row.page],
        limits=_limits(report),
        warnings=_warnings(report.results),
        over_time=charts_over_time(report.results),
    )


def display_names(paths: Sequence[str]) -> list[str]:
    """Return paths without the folders that all of them share.

    Examples
    --------
    >>> display_names(["data/x/a.mat", "data/y/a.mat"])
    ['x/a.mat', 'y/a.mat']
    >>> display_names(["data/x/a.mat"])
    ['a.mat']
    """
    parts = [PurePath(path).parts for path in paths]
    shared = 0
    while parts and all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return ["/".join(p[shared:]) for p in parts]


def _groups(rows: Sequence[RecordingRow]) -> list[RankGroup]:
    """Group the recordings that need a look by their rank, the first `MOST_FIRST` of them."""
    counts = Counter(row.finding.rank for row in rows)
    first = [row for row in rows if row.finding.needs_attention][:MOST_FIRST]
    return [
        RankGroup(rank, [row for row in first if row.finding.rank == rank], counts[rank])
        for rank in ADVICE
        if counts[rank]
    ]


def _refusals(rows: Sequence[RecordingRow]) -> list[Refusal]:
    """Group the recordings without a diagnosis by their reason, the most frequent first."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.finding.rank == Rank.NOT_DIAGNOSED:
            reason = row.finding.reasons[0].removeprefix(f"{row.result.path}: ")
            names.setdefault(reason, []).append(row.name)
    ordered = sorted(names.items(), key=lambda pair: -len(pair[1]))
    return [Refusal(reason, tuple(own[:MOST_NAMES]), len(own)) for reason, own in ordered]


def _lead(rows: Sequence[RecordingRow]) -> str:
    counts = Counter(row.finding.rank for row in rows)
    attention = sum(row.finding.needs_attention for row in rows)
    failed = counts[Rank.NOT_DIAGNOSED]
    refused = f" {failed} could not be diagnosed." if failed else ""
    if failed == len(rows):
        return "No recording could be diagnosed."
    if not attention:
        return f"None of the recordings shows a finding.{refused}"
    details = [f"{counts[rank]} {words}" for rank, words in COUNTED.items() if counts[rank]]
    needs = "needs" if attention == 1 else "need"
    of_all = f"{attention} of {counted(len(rows), 'recording')}"
    words = f"{of_all} {needs} a look: {', '.join(details)}."
    return f"{words}{refused}"


def _figures(rows: Sequence[RecordingRow]) -> list[tuple[int, str]]:
    attention = sum(row.finding.needs_attention for row in rows)
    failed = sum(row.finding.rank == Rank.NOT_DIAGNOSED for row in rows)
    clear = len(rows) - attention - failed
    return [
        (len(rows), "recording" if len(rows) == 1 else "recordings"),
        (attention, "needs a look" if attention == 1 else "need a look"),
        (clear, "without a finding"),
        (failed, "not diagnosed"),
    ]


def _limits(report: PredictionReport) -> list[str]:
    model = report.model
    limits = []
    if model is not None:
        limits.append(
            f"It knows {counted(len(model.classes), 'class')} ({', '.join(model.classes)}) and "
            "names one of "
            "them for every recording, also where the machine has another fault."
        )
        limits += [f"{text[0].upper()}{text[1:]}." for text in model.limits]
        if not model.novelty:
            limits.append("It can't say how unlike the training data a recording is.")
    else:
        limits.append("The model isn't given, only its rows: what it looked at can't be shown.")
    return [
        *limits,
        "A confidence is the model's own, measured on recordings like those it was trained on; on "
        "another machine, bearing or sensor it may be wrong.",
        "A size in the name of a class is that of a bearing of the training data. It is no "
        "measurement of this bearing, and no severity.",
        "An envelope without a signature doesn't prove a healthy bearing: faults of balls, of "
        "cages and some of races show none.",
    ]


def _warnings(results: Sequence[RecordingResult]) -> list[str]:
    assumed = sum(result.sampling_rate_source == "assumed" for result in results)
    warnings = []
    if assumed:
        warnings.append(
            f"Nothing states the sampling rate of {counted(assumed, 'recording')}; the model's was "
            "assumed. If it is another, their diagnosis is wrong; give it with --sampling-rate."
        )
    if any(result.severity and result.severity.zone for result in results):
        warnings.append(SEVERITY_NOTE)
    return warnings


def recording_facts(result: RecordingResult) -> list[tuple[str, str]]:
    """Return the facts that a diagnosis used, as names and values."""
    rate = f"{result.sampling_rate:g} Hz" if result.sampling_rate else "not known"
    source = f" ({result.sampling_rate_source})" if result.sampling_rate_source else ""
    rows = [
        ("File", result.path),
        ("Channel", result.channel or "–"),
        ("Sampling rate", rate + source),
        ("Shaft speed", f"{result.rpm:g} rpm" if result.rpm else "not known"),
        ("Bearing", result.bearing.name if result.bearing else "not known"),
    ]
    if result.agreement is not None:
        rows.append(("Windows of this class", percent(result.agreement)))
    if result.novelty is not None:
        rows.append(("Novelty", f"{result.novelty:.2f} (above 1: unlike the training data)"))
    if result.signature is not None:
        rows.append(("Bearing signature", SIGNATURES[result.signature]))
    if result.severity:
        rows += _severity_facts(result.severity)
    return rows


def _severity_facts(severity: Severity) -> list[tuple[str, str]]:
    velocity = (
        f"{severity.velocity:.2f} mm/s RMS, {severity.lowest:g} to 1000 Hz; the signal is in "
        f"{severity.units}, {UNIT_SOURCES[severity.units_source]}"
    )
    rows = [("Velocity", velocity)]
    if severity.zone:
        zone = (
            f"{severity.zone}: {MEANING[severity.zone]} (group {severity.group}, "
            f"{severity.mounting} mounting; {severity.source})"
        )
        rows.append(("Zone of the machine", zone))
    return rows


def evidence_facts(result: RecordingResult) -> list[tuple[str, str]]:
    """Return the evidence of a recording in words, as names and values."""
    evidence = result.evidence
    if evidence is None:
        return []
    values = evidence.statistics
    rows = [
        ("Envelope", summarise(evidence).words),
        ("Against the network", AGREEMENTS[evidence.agreement]),
        (
            "Statistics",
            f"RMS {values.rms:.4g}, kurtosis {values.kurtosis:.2f}, crest factor "
            f"{values.crest_factor:.2f}: medians over {counted(values.windows, 'window')}",
        ),
    ]
    if ratios := evidence.ratios:
        compared = (
            f"RMS × {ratios.rms:.2f}, kurtosis × {ratios.kurtosis:.2f}, crest factor × "
            f"{ratios.crest_factor:.2f}"
        )
        rows.append(("Over healthy windows of the training data", compared))
    check = evidence.rate_check
    fits = f"; {check.suggested:g} Hz fits" if check.suggested else ""
    rows.append(("Sampling rate and shaft speed", f"{check.verdict}{fits}: {check.reason}"))
    return rows


def render_prediction(report: PredictionReport, form: str) -> str:
    """Return the report as ``html``, ``md`` or ``json``."""
    if form == "json":
        return to_json(_document(report))
    view = prediction_view(report)
    count = len(report.results)
    title = f"Diagnosis of {count} recording{'s' if count != 1 else ''}"
    render = html if form == "html" else markdown
    return render("prediction", report=report, view=view, title=title, draw_svg=draw_svg)


def _document(report: PredictionReport) -> dict[str, object]:
    """The report without the arrays of pictures, its findings beside each recording."""
    results = [
        {
            "finding": entry.finding,
            **{f.name: getattr(entry.result, f.name) for f in fields(entry.result)},
        }
        for entry in report.ranked()
    ]
    for result in results:
        del result["views"]
    return {
        "kind": "prediction",
        "version": report.version,
        "made": report.made,
        "model": report.model,
        "limits": _limits(report),
        "recordings": results,
    }
