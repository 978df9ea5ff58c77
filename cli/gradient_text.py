"""What `nn inspect-gradients` found, for people, at the terminal at hand."""

import math

from mnist_nn.inspection import Factor

from .check_text import checked
from .derivative_text import average, chain, paths
from .gradient_report import Report
from .terminal import Terminal
from .text import name_of, number

SHOWN_MISREAD = 4
CHART = 40  # columns of a chart over the epochs
LEVELS = "▁▂▃▄▅▆▇█"


def as_text(report: Report, terminal: Terminal) -> str:
    """The whole report, one paragraph for each question."""
    parts = [
        _heading(report, terminal),
        _layers(report, terminal),
        _norms(report, terminal),
        chain(report, terminal),
        *(paths(report, position, terminal) for position in range(len(report.route))),
        average(report, terminal),
        _entries(report, terminal),
        checked(report, terminal),
    ]
    return terminal.paint("\n\n".join("\n".join(lines) for lines in parts if lines))


def _heading(report: Report, terminal: Terminal) -> list[str]:
    config, inspection = report.config, report.inspection
    indices, answers, labels = inspection.indices, inspection.answers, inspection.labels
    which = f"example {indices[0]}" if len(indices) == 1 else f"first {len(indices)} examples"
    sizes = "-".join(map(str, config.network.sizes))
    activation = "/".join(dict.fromkeys([config.network.activation, config.network.output]))
    lines = [
        f"{sizes} {activation}, {config.cost.replace('_', ' ')}",
        f"{which} of the {report.split} split: C = {inspection.C.mean():.6f}",
    ]
    wrong = [i for i in range(len(indices)) if answers[i] != labels[i]]
    if wrong:
        some = ", ".join(f"{indices[i]} ({labels[i]} as {answers[i]})" for i in wrong[:SHOWN_MISREAD])
        lines.append(f"misread: {some}" + (f" and {len(wrong) - SHOWN_MISREAD} more" if wrong[SHOWN_MISREAD:] else ""))
    return [line for text in lines for line in terminal.wrapped(text)]


def _layers(report: Report, terminal: Terminal) -> list[str]:
    rows = [["layer", "weights", "‖∂C/∂w‖", "‖∂C/∂b‖", "rms ∂C/∂z", "mean σ′", "saturated", "step/w", "largest at"]]
    for s in report.layers:
        j, k, _ = s.largest
        rows.append(
            [
                f"{s.layer}", f"{s.weights:,}", f"{s.dC_dw_norm:.2e}", f"{s.dC_db_norm:.2e}", f"{s.dC_dz_rms:.2e}",
                f"{s.mean_sigma_prime:.4f}", f"{100 * s.saturated:.1f}%",
                "–" if s.step_ratio is None else f"{s.step_ratio:.1e}", name_of(s.layer, j, k),
            ]
        )  # fmt: skip
    lines = terminal.table(rows, ">>>>>>>><", indent=0)
    shrinking = [
        f"×{below.dC_dz_rms / above.dC_dz_rms:.2g} from layer {above.layer} to {below.layer}"
        for below, above in reversed(list(zip(report.layers, report.layers[1:], strict=False)))
        if above.dC_dz_rms
    ]
    if shrinking:
        lines += terminal.wrapped(f"going back, rms ∂C/∂z changes {', '.join(shrinking)}")
    return lines


def _norms(report: Report, terminal: Terminal) -> list[str]:
    """‖∂C/∂w‖ of each layer over the epochs, on one logarithmic scale."""
    if not report.norms:
        return []
    shown = report.norms[:: -(-len(report.norms) // CHART)]
    logs = {
        l: [math.log10(max(norms.dC_dw[l], 1e-300)) if math.isfinite(norms.dC_dw[l]) else math.nan for norms in shown]
        for l in shown[0].dC_dw
    }
    finite = [value for values in logs.values() for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    rows = []
    for l, values in logs.items():
        chart = "".join(
            LEVELS[round((value - low) / ((high - low) or 1) * (len(LEVELS) - 1))] if math.isfinite(value) else " "
            for value in values
        )
        rows.append([f"layer {l}", f"{shown[0].dC_dw[l]:.1e}", chart, f"{shown[-1].dC_dw[l]:.1e}"])
    title = f"‖∂C/∂w‖ from epoch {shown[0].epoch} to {shown[-1].epoch} of training, on a logarithmic scale"
    return [*terminal.wrapped(title), *terminal.table(rows, "<><>")]


def _entries(report: Report, terminal: Terminal) -> list[str]:
    """The whole ∇C of a network small enough to read, every factor of every entry."""
    if not report.entries:
        return []
    m, C = len(report.inspection.indices), f"C_{report.derivative.example}"
    lines = terminal.wrapped(f"∇{C}, all {len(report.entries)} entries, each with its factors")
    for entry in report.entries:
        name = name_of(entry.layer, entry.j, entry.k)
        formula = " · ".join(_factor(factor, report) for factor in entry.factors)
        values = " × ".join(f"{factor.value:.6g}" for factor in entry.factors)
        average = f"   (average of {m}: {number(entry.mean)})" if m > 1 else ""
        lines += terminal.wrapped(f"∂{C}/∂{name} = {formula}", indent=2)
        lines += terminal.wrapped(f"= {values} = {number(entry.product)}{average}", indent=6)
    return lines


def _factor(factor: Factor, report: Report) -> str:
    l, i = factor.layer, factor.index
    if factor.kind == "a":
        return f"a({l})[{i}]"
    if factor.kind == "da_dz":
        return f"σ′(z({l})[{i}])"
    if factor.kind == "w":
        return f"w({l})[0,{i}]"
    if factor.kind == "dC_da" and l == report.inspection.network.L:
        y = f"y[{i}]"
        return f"2(a({l})[{i}]\u00a0−\u00a0{y})" if report.config.cost == "squared_error" else f"∂C/∂a({l})[{i}]"
    return f"∂C/∂a({l})[{i}]" if factor.kind == "dC_da" else "1"
