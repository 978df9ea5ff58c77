"""One derivative for people: its factors beside a nudge, the sums over paths, and its place in the average."""

import math
from collections import Counter

from mnist_nn.inspection import Derivative

from .gradient_report import Report
from .histogram import histogram
from .terminal import Terminal
from .text import ROUNDING, counted, name_of, number, ratio

SHOWN_PATHS = 8
BAR = 24  # columns of the longest bar, where there is room
FORMULA_DC_DA = {"squared_error": "2(a − y)", "cross_entropy": "(a − y)/(a(1 − a))"}  # in the output layer
FORMULA_C = {"squared_error": "Σ(a−y)²", "cross_entropy": "−Σ ln"}


def letter_of(d: Derivative) -> str:
    return "b" if d.k is None else "w"


def chain(report: Report, terminal: Terminal) -> list[str]:
    """From the parameter to the cost, forwards; and its factors, beside what a nudge does."""
    d, cost = report.derivative, report.config.cost
    l, j, k, n = d.layer, d.j, d.k, d.nudge
    letter, name = letter_of(d), name_of(d.layer, d.j, d.k)
    C, z, a = f"C_{d.example}", f"z({l})[{j}]", f"a({l})[{j}]"
    if k is not None:
        title, place = f"weight {name} = {d.value:+.6f}", f"from neuron {k} of layer {l - 1} to neuron {j} of layer {l}"
    else:
        title, place = f"bias {name} = {d.value:+.6f}", f"of neuron {j} of layer {l}"
    example = f"example {d.example}, label {d.label}" + ("" if d.answer == d.label else f", read as {d.answer}")
    first = f"a({l - 1})[{k}]" if k is not None else "1"
    third = FORMULA_DC_DA[cost] if d.y is not None else f"Σ over {counted(report.config.network.sizes[l + 1], 'path')}"
    rows = [
        ["factor", "by formula", "", f"at {letter} {n.parameter:+g}", ""],
        [f"∂{z}/∂{name}", first, f"  {number(d.dz)}", f"Δz {number(n.dz)}", f"Δz/Δ{letter} {ratio(n.dz, n.parameter)}"],
        [f"∂{a}/∂{z}", f"σ′({z})", f"× {number(d.da_dz)}", f"Δa {number(n.da)}", f"Δa/Δz {ratio(n.da, n.dz)}"],
        [f"∂{C}/∂{a}", third, f"× {number(d.dC_da)}", f"ΔC {number(n.dC)}", f"ΔC/Δa {ratio(n.dC, n.da)}"],
        [f"∂{C}/∂{name}", "", f"= {number(d.product)}", "", f"ΔC/Δ{letter} {ratio(n.dC, n.parameter)}"],
    ]
    if abs(n.dC) < ROUNDING:
        effect = f"left {C} at {d.C:.6g}"
    else:
        digits = max(6, 1 - math.floor(math.log10(abs(n.dC)))) if math.isfinite(n.dC) else 6
        effect = f"{'lowered' if n.dC < 0 else 'raised'} {C} from {d.C:.{digits}f} to {d.C + n.dC:.{digits}f}"
    return [
        *terminal.spread(title, place, example),
        "",
        *_forwards(report, terminal),
        "",
        *terminal.table(rows, "<<<<<"),
        *terminal.wrapped(f"Raising {letter} by {n.parameter:g} {effect}.", indent=2),
    ]


def _forwards(report: Report, terminal: Terminal) -> list[str]:
    """The dependencies from left to right, values below names; from top to bottom where there is no room."""
    d, l, j = report.derivative, report.derivative.layer, report.derivative.j
    begin = f"a({l - 1})[{d.k}]" if d.a_prev is not None else f"b({l})[{j}]"
    to_cost = counted(report.config.network.sizes[l + 1], "path") if d.y is None else FORMULA_C[report.config.cost]
    names = [begin, f"z({l})[{j}]", f"a({l})[{j}]", f"C_{d.example}"]
    values = [number(d.value if d.a_prev is None else d.a_prev), number(d.z), number(d.a), f"{d.C:.6f}"]
    arrows = [terminal.plain(arrow) for arrow in ("+" if d.k is None else "w", "σ", to_cost)]
    desired = f"y[{j}] = {d.y:g}" if d.y is not None else ""
    dash, head, down, bar = map(terminal.plain, "─▶▼│")
    upper, lower, under = "  ", "  ", "  "
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        width = max(len(name), len(value))
        upper += f"{name:^{width}}"
        lower += f"{value:>{width}}"
        under += f"{desired if i == 2 else '':^{width}}"
        if i < len(arrows):
            arrow = f" {2 * dash}{arrows[i]}{2 * dash}{head} "
            upper, lower, under = upper + arrow, lower + " " * len(arrow), under + " " * len(arrow)
    if len(lower) <= terminal.width:
        return [line for text in (upper, lower, under) if (line := text.rstrip())]
    lines = []
    for i, arrow in enumerate(arrows):
        lines += [f"  {names[i]} {values[i]}" + (f"   {desired}" if desired and i == 2 else ""), f"  {bar} {arrow}",
                  f"  {down}"]  # fmt: skip
    return [*lines, f"  {names[-1]} {values[-1]}"]


def paths(report: Report, position: int, terminal: Terminal) -> list[str]:
    """One sum over paths of the route, the strongest paths first."""
    paths = report.route[position]
    l, k, C = paths.layer, paths.neuron, f"C_{paths.example}"
    ranked = sorted(paths.terms, key=lambda term: -abs(term.product))
    shown, rest = ranked[:SHOWN_PATHS], ranked[SHOWN_PATHS:]
    hidden = l + 1 < report.inspection.network.L
    above = f"∂{C}/∂a({l + 1})[j]" if hidden else FORMULA_DC_DA[report.config.cost]
    rows = [["through", f"w({l + 1})[j,{k}]", f"σ′(z({l + 1})[j])", above, "product"]]
    for path in shown:
        factors = f"  {number(path.w)}", f"× {number(path.da_dz)}", f"× {number(path.dC_da)}"
        rows.append([f"j = {path.j}", *factors, f"= {number(path.product)}"])
    if rest:
        rows.append([counted(len(rest), "other"), "", "", "", f"= {number(sum(path.product for path in rest))}"])
    rows.append(["sum", "", "", "", f"= {number(paths.sum)}"])
    bars = [""] * len(rows)
    bars[1 : 1 + len(shown)] = _signed_bars([path.product for path in shown], terminal.room(rows, BAR // 2, BAR) // 2)
    if paths.backprop is not None:
        same = math.isclose(paths.sum, paths.backprop, rel_tol=1e-9, abs_tol=1e-15)
        bars[-1] = "as backprop" if same else f"backprop {number(paths.backprop)}"
    relation = ""
    if position and l > report.route[0].layer:
        relation = "The third factor of the strongest path is itself a sum:"
    elif position:
        relation = "One layer back:"
    of_them = f", the {len(shown)} strongest shown" if rest else ""
    title = f"∂{C}/∂a({l})[{k}] = Σ_j ∂z({l + 1})[j]/∂a({l})[{k}] · ∂a({l + 1})[j]/∂z({l + 1})[j] · ∂{C}/∂a({l + 1})[j]"
    return [
        *(terminal.wrapped(relation) if relation else []),
        *terminal.spread(title, f"{counted(len(ranked), 'path')}{of_them}"),
        *terminal.table([[*row, bar] for row, bar in zip(rows, bars, strict=True)], "<>>>><"),
    ]


def _signed_bars(values: list[float], most: int) -> list[str]:
    """Bars to the left of a middle line for what is negative, to the right for what is positive."""
    scale = max(map(abs, values), default=0.0) or 1.0
    bars = []
    for value in values:
        size = round(most * abs(value) / scale) if math.isfinite(value / scale) else 0
        bar = ("◀" + "━" * (size - 1) if value < 0 else "━" * (size - 1) + "▶") if size else ""
        bars.append(f"{bar:>{most}}" if value < 0 else " " * most + bar)
    return bars


def average(report: Report, terminal: Terminal) -> list[str]:
    """One example's derivative among those of the batch."""
    d, labels = report.derivative, report.inspection.labels
    m = len(d.per_example)
    letter, name = letter_of(d), name_of(d.layer, d.j, d.k)
    change = number(-report.learning_rate * d.mean)
    step = (
        f"A step with the next epoch's η = {report.learning_rate:.6g} changes {letter} by −η ∂C/∂{letter} = {change}."
    )
    if m == 1:
        return terminal.wrapped(step)
    spread = math.sqrt(sum((value - d.mean) ** 2 for value in d.per_example) / m)
    rows: list[list[str]] = []
    counts: list[int] = []
    here = report.inspection.indices.index(d.example)
    for bin_ in histogram(d.per_example):
        who = _labels(Counter(int(labels[i]) for i in bin_.members))
        marks = f"◀ C_{d.example}" if here in bin_.members else ""
        low, high = (f"{edge:+.3g}" if edge else "0" for edge in (bin_.low, bin_.high))
        counts.append(len(bin_.members))
        rows.append([f"{low:>7} to {high:>7}", f"{len(bin_.members)}", "", f"{who}  {marks}".strip()])
    if rows:
        longest = terminal.room(rows, BAR // 3, BAR)
        for row, count in zip(rows, counts, strict=True):
            row[2] = "█" * (max(1, round(longest * count / max(counts))) if count else 0)
    down, up = (sum(sign * value > 0 for value in d.per_example) for sign in (1, -1))
    cancels = 100 * (1 - abs(sum(d.per_example)) / (sum(map(abs, d.per_example)) or 1))
    return [
        *terminal.spread(
            f"∂C/∂{name} = (1/{m}) Σ_i ∂C_i/∂{name} = {number(d.mean)}", f"spread (s.d.) {number(spread)[1:]}"
        ),
        *(terminal.table(rows, ">><<") if rows else []),
        *terminal.wrapped(
            f"{counted(down, 'example')} push {letter} down, {up} push it up; {cancels:.0f}% cancels.", 2
        ),
        *terminal.wrapped(step, 2),
    ]


def _labels(counts: Counter[int]) -> str:
    """Such as "all 8 are label 4", or the most frequent ones."""
    if len(counts) == 1:
        ((label, count),) = counts.items()
        return f"label {label}" if count == 1 else f"all {count} are label {label}"
    most = ", ".join(str(label) for label, _ in counts.most_common(3))
    return f"labels {most}" + (", …" if len(counts) > 3 else "") if counts else ""
