"""An adaptation as text: what it did to the predictions of the target, and what was kept."""

from faultdiag.documents import Document
from faultdiag.errors import counted
from faultdiag.metrics.tables import format_table
from faultdiag.training.adapting import AdaptedRun
from faultdiag.training.guard import refusal

SHARES = {"class": "class", "before": "before %", "after": "after %"}


def transfer_lines(transfer: Document) -> list[str]:
    """Return what the section ``transfer`` of ``metrics.json`` says, line by line.

    The shares are those of the target's windows that each class gets; no label is in them.
    """
    if transfer["method"] == "none":
        agreement = transfer["agreement_before"]
        return [f"transfer none: trained on the source alone; target agreement {agreement:.1%}"]
    before, after = transfer["shares_before"], transfer["shares_after"]
    rows = [{"class": name, "before": before[name], "after": after[name]} for name in before]
    moved = transfer["moved"]
    lines = [
        f"transfer {transfer['method']}: share of the target's windows that each class gets",
        format_table(rows, SHARES),
        f"agreement within target recordings {transfer['agreement_before']:.1%} before, "
        f"{transfer['agreement_after']:.1%} after; mean class confusion "
        f"{transfer['confusion_before']:.3f} before, {transfer['confusion_after']:.3f} after",
        f"{moved['moved']} of {moved['recordings']} target recordings changed their class, "
        f"{moved['unsupported']} of them decided before",
    ]
    if transfer["warning"]:
        lines.append(f"WARNING: {transfer['warning']}")
    if transfer["refused"]:
        lines.append(f"REFUSED: {refusal(transfer)}")
    return lines


def adapted_text(adapted: AdaptedRun) -> str:
    """Return what an adaptation did, and where its run is."""
    transfer = adapted.metrics["transfer"]
    target = transfer["target"]
    count = len(target["recordings"])
    lines = [
        f"adapted with {adapted.why}",
        f"target: {counted(count, 'recording')}, {counted(target['windows'], 'window')}; "
        "no label of them was read",
        *transfer_lines(transfer),
    ]
    source = adapted.metrics.get("source_test")
    if source is not None:
        lines.append(f"accuracy on the source's own test part after it: {source['accuracy']:.1%}")
    if not adapted.refused:
        lines.append(f"run folder: {adapted.folder}")
    return "\n".join(lines)
