"""One derivative as text: its factors and a nudge, the sums over paths, and the average over the batch."""

import math
from collections import Counter

from mnist_nn.page.report import Report

from ..terminal import Terminal
from ..text import cost, counted, distinguishable, number
from .histogram import histogram

SHOWN_PATHS = 8
ROUNDING = 1e-12  # a smaller change of z, a or C may be only rounding, and counts as 0
BAR = 24  # columns of the longest bar, if there is room
FORMULA_DC_DA = {"squared_error": "2(a − y)", "cross_entropy": "(a − y)/(a(1 − a))"}  # in the output layer
FORMULA_C = {"squared_error": "Σ(a−y)²", "cross_entropy": "−Σ ln"}


def chain_lines(report: Report, terminal: Terminal) -> list[str]:
    """Return the chain from the parameter to the cost, and a table of its factors and the effect of a nudge."""
    d, cost_name = report.derivative, report.config.cost
    p, n = d.parameter, d.nudge
    l, j, k, letter, name = p.layer, p.j, p.k, p.letter, p.name
    C, z, a = f"C_{d.example}", f"z({l})[{j}]", f"a({l})[{j}]"
    kind = "bias" if k is None else "weight"
    place = f"of neuron {j}" if k is None else f"from neuron {k} of layer {l - 1} to neuron {j}"
    example = f"example {d.example}"
    if report.inspection.are_classes:
        example += f", label {d.label}" + ("" if d.answer == d.label else f", read as {d.answer}")
    first = "1" if k is None else f"a({l - 1})[{k}]"
    third = FORMULA_DC_DA[cost_name] if d.y is not None else f"Σ over {_paths_above(report)}"
    rows = [
        ["factor", "by formula", "", f"at {letter} {n.parameter:+g}", ""],
        [f"∂{z}/∂{name}", first, f"  {number(d.dz)}", *_change("z", n.dz, letter, n.parameter)],
        [f"∂{a}/∂{z}", f"σ′({z})", f"× {number(d.da_dz)}", *_change("a", n.da, "z", n.dz)],
        [f"∂{C}/∂{a}", third, f"× {number(d.dC_da)}", *_change("C", n.dC, "a", n.da)],
        [f"∂{C}/∂{name}", "", f"= {number(d.product)}", "", _change("C", n.dC, letter, n.parameter)[1]],
    ]
    lines = [
        *terminal.fill_lines(f"{kind} {name} = {number(d.value)}", f"{place} of layer {l}", example),
        "",
        *_forwards(report, terminal),
        "",
        *terminal.table(rows, "<<<<<", cut=3),
    ]
    if d.y is not None and report.inspection.cost.dC_dz is not None:
        left = f"σ′ and ∂{C}/∂{a} cancel: their product is ∂{C}/∂{z} = a − y = {number(d.dC_dz)}."
        lines += terminal.wrap(left, indent=2)
    before, after = distinguishable(d.C, d.C + n.dC)
    effect = f"left {C} at {cost(d.C)}" if abs(n.dC) < ROUNDING else (
        f"{'lowered' if n.dC < 0 else 'raised'} {C} from {before} to {after}"
    )  # fmt: skip
    return [*lines, *terminal.wrap(f"Raising {letter} by {n.parameter:g} {effect}.", indent=2)]


def _change(name: str, change: float, cause_name: str, cause: float) -> tuple[str, str]:
    """Return a change and its ratio to the change that caused it: ("Δa +0.002379", "Δa/Δz +0.238229")."""
    change, cause = (0.0 if abs(value) < ROUNDING else value for value in (change, cause))
    return f"Δ{name} {number(change)}", f"Δ{name}/Δ{cause_name} {number(change / cause) if cause else '–'}"


def _paths_above(report: Report) -> str:
    return counted(report.config.network.sizes[report.derivative.parameter.layer + 1], "path")


def _forwards(report: Report, terminal: Terminal) -> list[str]:
    """Return the chain of dependencies from left to right, with values below names.

    If the terminal is too narrow, the chain runs from top to bottom.
    """
    d, p = report.derivative, report.derivative.parameter
    l, j, k = p.layer, p.j, p.k
    first = (p.name, number(d.value)) if k is None else (f"a({l - 1})[{k}]", number(d.dz))
    to_cost = _paths_above(report) if d.y is None else FORMULA_C[report.config.cost]
    names = [first[0], f"z({l})[{j}]", f"a({l})[{j}]", f"C_{d.example}"]
    values = [first[1], number(d.z), number(d.a), cost(d.C)]
    below = ["", "", f"y[{j}] = {d.y:g}" if d.y is not None else "", ""]
    labels = ["+" if k is None else "w", "σ", to_cost]
    rows: list[list[str]] = [[], [], []]
    for i, column in enumerate(zip(names, values, below, strict=True)):
        for row, cell in zip(rows, column, strict=True):
            row += [cell, f"──{labels[i]}──▶" if row is rows[0] else ""] if i < len(labels) else [cell]
    across = terminal.table(rows, "^" * len(rows[0]))
    if len(across) == len(rows):
        return [line for line in across if line]
    lines = [f"{name} {value}   {extra}".rstrip() for name, value, extra in zip(names, values, below, strict=True)]
    down = [line for name, label in zip(lines, [*labels, ""], strict=True) for line in (name, f"│ {label}", "▼")]
    return [f"  {terminal.spell_out(line)}" for line in down[:-2]]


def paths_lines(report: Report, position: int, terminal: Terminal) -> list[str]:
    """Return one sum over paths of the route: the strongest paths, and the path that the route follows."""
    paths = report.route[position]
    l, k, C, L = paths.layer, paths.neuron, f"C_{paths.example}", report.inspection.network.L
    ranked = sorted(paths.terms, key=lambda path: -abs(path.product))
    shown = [path for rank, path in enumerate(ranked) if rank < SHOWN_PATHS or path.j == paths.through]
    rest = [path for path in ranked if path not in shown]
    above = f"∂{C}/∂a({l + 1})[j]" if l + 1 < L else FORMULA_DC_DA[report.config.cost]
    rows = [["through", f"w({l + 1})[j,{k}]", f"σ′(z({l + 1})[j])", above, "product"]]
    for path in shown:
        factors = f"  {number(path.w)}", f"× {number(path.da_dz)}", f"× {number(path.dC_da)}"
        rows.append([f"j = {path.j}", *factors, f"= {number(path.product)}"])
    if rest:
        rows.append([counted(len(rest), "other"), "", "", "", f"= {number(sum(path.product for path in rest))}"])
    rows.append(["sum", "", "", "", f"= {number(paths.sum)}"])
    bars = [""] * len(rows)
    bars[1 : 1 + len(shown)] = _signed_bars(
        [path.product for path in shown], terminal.room_for_column(rows, BAR // 2, BAR) // 2
    )
    if paths.backprop is not None:
        same = math.isclose(paths.sum, paths.backprop, rel_tol=1e-9, abs_tol=1e-300)
        bars[-1] = "as backprop" if same else f"backprop {number(paths.backprop)}"
    how_many = f", {len(shown)} shown" if rest else ""
    title = f"∂{C}/∂a({l})[{k}] = Σ_j ∂z({l + 1})[j]/∂a({l})[{k}] · ∂a({l + 1})[j]/∂z({l + 1})[j] · ∂{C}/∂a({l + 1})[j]"
    return [
        *terminal.wrap(_relation(report, position)),
        *terminal.fill_lines(title, f"{counted(len(ranked), 'path')}{how_many}"),
        *terminal.table([[*row, bar] for row, bar in zip(rows, bars, strict=True)], "<>>>><"),
    ]


def _relation(report: Report, position: int) -> str:
    """Return a sentence that links this sum to the derivative above it, or nothing if the link is clear."""
    paths, p = report.route[position], report.derivative.parameter
    l, k, above = paths.layer, paths.neuron, f"a({paths.layer + 1})[{paths.through}]"
    if l > p.layer:
        return f"On the strongest path, ∂C_{paths.example}/∂a({l})[{k}] is itself a sum:"
    if l == p.layer or (l == p.layer - 1 and position == 0 and p.k is not None):
        return ""
    largest = "" if (l, k) == (p.layer - 1, p.k) else f", the largest |w| into {above}"
    return f"One layer back from {above}, along w({l + 1})[{paths.through},{k}]{largest}:"


def _signed_bars(values: list[float], most: int) -> list[str]:
    """Return a bar for each value: to the left of a middle line if it is negative, else to the right."""
    scale = max(map(abs, values), default=0.0) or 1.0
    bars = []
    for value in values:
        size = round(most * abs(value) / scale) if math.isfinite(value / scale) else 0
        bar = ("◀" + "━" * (size - 1) if value < 0 else "━" * (size - 1) + "▶") if size else ""
        bars.append(f"{bar:>{most}}" if value < 0 else " " * most + bar)
    return bars


def average_lines(report: Report, terminal: Terminal) -> list[str]:
    """Return the average derivative of the batch, the histogram of its examples, and the step of training."""
    d = report.derivative
    m, mean = len(d.per_example), number(d.mean)
    letter, name = d.parameter.letter, d.parameter.name
    change = number(-report.learning_rate * d.mean)
    eta = f"the {report.rate_of} epoch's η = {report.learning_rate:.6g}"
    step = f"A plain step with {eta} changes {letter} by −η ∂C/∂{letter} = {change}."
    if m == 1:
        return terminal.wrap(step)
    spread = math.sqrt(sum((value - d.mean) ** 2 for value in d.per_example) / m)
    title = f"∂C/∂{name} = (1/{m}) Σ_i ∂C_i/∂{name} = {mean}"
    return [
        *terminal.fill_lines(title, f"spread (s.d.) {number(spread)[1:]}"),
        *_histogram(report, terminal),
        *terminal.wrap(_pushes(d.per_example, letter), 2),
        *terminal.wrap(step, 2),
    ]


def _histogram(report: Report, terminal: Terminal) -> list[str]:
    d, inspection = report.derivative, report.inspection
    here = inspection.indices.index(d.example)
    bins = histogram(d.per_example) if any(d.per_example) else []
    if not bins:
        return []
    edges = [f"{edge:+.3g}" if edge else "0" for edge in (bins[0].low, *(bin_.high for bin_ in bins))]
    widest = max(map(len, edges))
    counts = [len(bin_.members) for bin_ in bins]
    rows = []
    for i, bin_ in enumerate(bins):
        labels = _labels(Counter(int(inspection.labels[member]) for member in bin_.members))
        notes = [labels if inspection.are_classes else "", f"◀ C_{d.example}" if here in bin_.members else ""]
        edge = f"{edges[i]:>{widest}} to {edges[i + 1]:>{widest}}"
        rows.append([edge, f"{counts[i]}", "  ".join(filter(None, notes))])
    longest = terminal.room_for_column(rows, BAR // 3, BAR)
    sizes = [max(1, round(longest * count / max(counts))) if count else 0 for count in counts]
    return terminal.table([[*row[:2], "█" * size, row[2]] for row, size in zip(rows, sizes, strict=True)], ">><<")


def _pushes(per_example: list[float], letter: str) -> str:
    """Return how many examples push the parameter down and up: each pushes against the sign of its derivative."""
    down, up = (sum(sign * value > 0 for value in per_example) for sign in (1, -1))
    neither = len(per_example) - down - up
    if not down + up:
        return f"No example pushes {letter}: each derivative is 0."
    cancels = 100 * (1 - abs(sum(per_example)) / sum(map(abs, per_example)))
    rest = f", {neither} neither" if neither else ""
    return f"{down} of {len(per_example)} push {letter} down, {up} up{rest}; {cancels:.0f}% of their size cancels."


def _labels(counts: Counter[int]) -> str:
    """Return the labels in a bin, such as "all 8 are label 4", or its most frequent labels."""
    if len(counts) == 1:
        ((label, count),) = counts.items()
        return f"label {label}" if count == 1 else f"all {count} are label {label}"
    most = ", ".join(str(label) for label, _ in counts.most_common(3))
    return f"labels {most}" + (", …" if len(counts) > 3 else "") if counts else ""
