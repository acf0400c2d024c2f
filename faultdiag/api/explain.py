"""Explain one diagnosis: what the network looked at, beside what the signal says by itself."""

from dataclasses import replace
from pathlib import Path

from faultdiag.api.report_recordings import ReportOptions, report_on_requests
from faultdiag.errors import FaultdiagError
from faultdiag.report.drawing import draw_charts
from faultdiag.report.explanation import explanation_text
from faultdiag.report.pages.prediction import RecordingResult
from faultdiag.report.pages.recording_charts import explanation_charts
from faultdiag.report.pages.render import to_json


def explain(model: Path, path: Path, options: ReportOptions) -> RecordingResult:
    """Diagnose a recording, and explain it by all methods.

    Parameters
    ----------
    model
        Run folder or checkpoint.
    path
        One recording.
    options
        What is stated about it.

    Raises
    ------
    FaultdiagError
        If the recording can't be diagnosed, or the model can't be explained.
    """
    if path.is_dir():
        raise FaultdiagError(f"explain takes one recording and {path} is a folder; name a file")
    request = replace(options.request, path=path)
    (result,) = report_on_requests(model, [request], replace(options, all_methods=True))
    if result.error:
        raise FaultdiagError(result.error)
    if result.explanation is None:
        raise FaultdiagError(f"{model} can't be explained: {'; '.join(result.missing)}")
    return result


def explanation_output(result: RecordingResult, *, as_json: bool) -> str:
    """Return an explanation as text, or as JSON without the arrays of pictures."""
    return to_json(replace(result, views=None)) if as_json else explanation_text(result)


def draw_explanation(result: RecordingResult, png: Path) -> None:
    """Draw an explanation as a PNG.

    Raises
    ------
    FaultdiagError
        If the name isn't one of a PNG, or the file can't be written.
    """
    if png.suffix.lower() != ".png":
        raise FaultdiagError(f"--plot is {png}; a PNG is drawn, so give a name that ends in .png")
    if result.explanation is not None:
        name = Path(result.path).name
        title = f"{name}: {result.label}, {result.confidence or 0:.2f}"
        draw_charts(explanation_charts(result.explanation), png, title=title)
