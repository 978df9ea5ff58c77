"""The results of `nn inspect-gradients` as text for the terminal."""

import math
import re

from mnist_nn.explaining.expanded_gradient import Factor
from mnist_nn.explaining.parameter import Parameter
from mnist_nn.page.report import Report

from ..terminal import Terminal
from ..text import cost, number
from .check_text import check_lines
from .derivative_text import FORMULA_DC_DA, average_lines, chain_lines, paths_lines

SHOWN_MISREAD = 4  # examples
CHART = 40  # columns of a chart over the epochs
LEVELS = "▁▂▃▄▅▆▇█"


def as_text(report: Report, terminal: Terminal) -> str:
    """Return the whole report as text: one paragraph for each part."""
    parts = [
        _heading(report, terminal),
        chain_lines(report, terminal),
        *(paths_lines(report, position, terminal) for position in range(len(report.route))),
        average_lines(report, terminal),
        _entries(report, terminal),
        _layers(report, terminal),
        _norms(report, terminal),
        _diagnosis(report, terminal),
        check_lines(report, terminal),
    ]
    return _paragraphs(parts, terminal)


def as_short_text(report: Report, terminal: Terminal) -> str:
    """Return what is printed beside a page: the heading, where the page opens, and the verdict of a check."""
    d = report.derivative
    example = f"example {d.example}" + (f", label {d.label}" if report.inspection.are_classes else "")
    opens_at = f"The page opens at {'bias' if d.parameter.k is None else 'weight'} {d.parameter.name}, {example}."
    parts = [[*_heading(report, terminal), *terminal.wrap(opens_at)], check_lines(report, terminal)]
    return _paragraphs(parts, terminal)


def _paragraphs(parts: list[list[str]], terminal: Terminal) -> str:
    return terminal.paint("\n\n".join("\n".join(lines) for lines in parts if lines))


def _heading(report: Report, terminal: Terminal) -> list[str]:
    config, inspection = report.config, report.inspection
    indices, answers, labels = inspection.indices, inspection.answers, inspection.labels
    which = f"example {indices[0]}" if len(indices) == 1 else f"first {len(indices)} examples"
    sizes = "-".join(map(str, config.network.sizes))
    activation = "/".join(dict.fromkeys([config.network.activation, config.network.output]))
    lines = [
        f"{sizes} {activation}, {config.cost.replace('_', ' ')}",
        f"{which} of {report.source}: C = {cost(float(inspection.C.mean()))}",
    ]
    wrong = [i for i in range(len(indices)) if answers[i] != labels[i] and inspection.are_classes]
    if wrong:
        some = ", ".join(f"{indices[i]} (a {labels[i]}, read as {answers[i]})" for i in wrong[:SHOWN_MISREAD])
        more = f" and {len(wrong) - SHOWN_MISREAD} more" if wrong[SHOWN_MISREAD:] else ""
        lines.append(f"misread: {'examples' if wrong[1:] else 'example'} {some}{more}")
    return [line for text in lines for line in terminal.wrap(text)]


def _layers(report: Report, terminal: Terminal) -> list[str]:
    rows = [["layer", "weights", "‖∂C/∂w‖", "‖∂C/∂b‖", "rms ∂C/∂z", "mean σ′", "saturated", "step/w", "largest at"]]
    for s in report.layers:
        j, k, _ = s.largest
        rows.append(
            [
                f"{s.layer}", f"{s.weights:,}", f"{s.dC_dw_norm:.2e}", f"{s.dC_db_norm:.2e}", f"{s.dC_dz_rms:.2e}",
                f"{s.mean_sigma_prime:.4f}", f"{100 * s.saturated:.1f}%",
                "–" if s.step_ratio is None else f"{s.step_ratio:.1e}", Parameter(s.layer, j, k).name,
            ]
        )  # fmt: skip
    lines = terminal.table(rows, ">>>>>>>><", indent=0)
    shrinking = [
        f"×{below.dC_dz_rms / above.dC_dz_rms:.2g} from layer {above.layer} to {below.layer}"
        for below, above in reversed(list(zip(report.layers, report.layers[1:], strict=False)))
        if above.dC_dz_rms
    ]
    if shrinking:
        lines += terminal.wrap(f"going back, rms ∂C/∂z changes {', '.join(shrinking)}")
    return lines


def _norms(report: Report, terminal: Terminal) -> list[str]:
    """Return a chart of each layer's ‖∂C/∂w‖ over the epochs, on one logarithmic scale.

    A norm that is 0 or not finite leaves a gap.
    """
    if not report.norms:
        return []
    first, last = report.norms[0], report.norms[-1]
    rows = [[f"layer {l}", f"{first.dC_dw[l]:.1e}", f"{last.dC_dw[l]:.1e}"] for l in first.dC_dw]
    columns = min(len(report.norms), terminal.room_for_column(rows, CHART // 4, CHART))
    shown = [report.norms[round(i * (len(report.norms) - 1) / max(1, columns - 1))] for i in range(columns)]
    positive = [size for norms in shown for size in norms.dC_dw.values() if 0 < size < math.inf]
    low, high = (math.log(extreme(positive, default=1.0)) for extreme in (min, max))

    def level(size: float) -> str:
        share = (math.log(size) - low) / ((high - low) or 1) if 0 < size < math.inf else None
        return " " if share is None else LEVELS[round(share * (len(LEVELS) - 1))]

    for row, l in zip(rows, first.dC_dw, strict=True):
        row.insert(2, "".join(level(norms.dC_dw[l]) for norms in shown))
    title = f"‖∂C/∂w‖ from epoch {first.epoch} to {last.epoch} of training, on a logarithmic scale"
    return [*terminal.wrap(title), *terminal.table(rows, "<><>")]


def _diagnosis(report: Report, terminal: Terminal) -> list[str]:
    """Return what is wrong with the gradient. Nothing for a healthy network."""
    if not report.diagnosis:
        return []
    texts = [re.sub(r"(?<=try) | (?=[=%])|(?<==) ", "\u00a0", finding.text) for finding in report.diagnosis]
    return ["What stands out", *(line for text in texts for line in terminal.wrap(text, 2))]


def _entries(report: Report, terminal: Terminal) -> list[str]:
    """Return every entry of ∇C_i with all its factors, if the network is small enough to read."""
    if not report.entries:
        return []
    m, C = len(report.inspection.indices), f"C_{report.derivative.example}"
    lines = terminal.wrap(f"∇{C}, all {len(report.entries)} entries, each with its factors")
    for entry in report.entries:
        name = entry.parameter.name
        formula = " · ".join(_factor(factor, report) for factor in entry.factors)
        values = " × ".join(f"{factor.value:.6g}" for factor in entry.factors)
        average = f"   (average of {m}: {number(entry.mean)})" if m > 1 else ""
        lines += terminal.wrap(f"∂{C}/∂{name} = {formula}", indent=2)
        lines += terminal.wrap(f"= {values} = {number(entry.product)}{average}", indent=6)
    return lines


def _factor(factor: Factor, report: Report) -> str:
    l, i, C = factor.layer, factor.index, f"C_{report.derivative.example}"
    if factor.kind == "dC_da" and l == report.inspection.network.L:
        formula = FORMULA_DC_DA[report.config.cost].replace("a", f"a({l})[{i}]").replace("y", f"y[{i}]")
        return formula.replace(" ", "\u00a0")  # no line break inside
    return {
        "1": "1",
        "a": f"a({l})[{i}]",
        "da_dz": f"σ′(z({l})[{i}])",
        "w": f"w({l})[0,{i}]",
        "dC_da": f"∂{C}/∂a({l})[{i}]",
        "dC_dz": f"(a({l})[{i}]\u00a0−\u00a0y[{i}])",
    }[factor.kind]
