"""`faultdiag export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultdiag.cli.exits import show
from faultdiag.cli.options import AsJson, LogJson, Quiet, as_text

if TYPE_CHECKING:
    from faultdiag.api.export import Export


def export(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.onnx, or FILE.safetensors for the weights alone; else in RUN."),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute in 8-bit integers, where accuracy allows.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="By how much --int8 may lower the accuracy.")
    ] = 0.01,
    safetensors: Annotated[
        bool, typer.Option("--safetensors", help="Write the weights too, as safetensors.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Write the whole diagnosis to one ONNX file, which predicts without torch.

    Example: faultdiag export runs/demo --out model.onnx
    """
    from faultdiag.api.export import export_run

    made = export_run(run, out=out, int8=int8, safetensors=safetensors, tolerance=tolerance)
    show(as_text(made.document()) if as_json else "\n".join(_lines(made)))


def _lines(made: "Export") -> list[str]:
    lines = [f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)" for path in made.files]
    if made.difference is not None:
        lines.append(
            f"opset {made.opset}; the largest difference from the network's probabilities on trial "
            f"windows is {made.difference:.1e}"
        )
    if made.int8 is not None:
        for part, before in made.int8.before.items():
            lines.append(
                f"int8: accuracy of {part} windows {before:.2%} before, "
                f"{made.int8.after[part]:.2%} after"
            )
    return lines
