"""What `nn inspect-gradients` found, as JSON and as text, both from the same values."""

from dataclasses import asdict, dataclass
from typing import Any

from mnist_nn import Config
from mnist_nn.gradient_check import GradientCheck
from mnist_nn.inspection import Derivative, Inspection, LayerSummary, Paths

SHOWN_PATHS = 12
SHOWN_MISREAD = 4
BAR = 20  # columns of the longest bar
ROUNDING = 1e-12  # what is smaller is taken for 0 in the text (not in the JSON)
FORMULA_DC_DA = {"squared_error": "2(a − y)", "cross_entropy": "(a − y)/(a(1 − a))"}  # in the output layer


@dataclass(frozen=True)
class Report:
    """Everything that was computed, and what it is about."""

    config: Config
    split: str
    inspection: Inspection
    layers: list[LayerSummary]
    derivative: Derivative | None
    paths: Paths | None
    check: GradientCheck | None


def as_document(report: Report) -> dict[str, Any]:
    """The JSON document: field names are part of the contract."""
    document: dict[str, Any] = {
        "sizes": list(report.config.network.sizes),
        "activation": report.config.network.activation,
        "output": report.config.network.output,
        "cost_function": report.config.cost,
        "split": report.split,
        "examples": report.inspection.indices,
        "cost": float(report.inspection.C.mean()),
        "layers": [
            {**asdict(layer), "largest": dict(zip(("j", "k", "dC_dw"), layer.largest, strict=True))}
            for layer in report.layers
        ],
    }
    if report.derivative:
        document["bias" if report.derivative.k is None else "weight"] = _derivative_document(report.derivative)
    if report.paths:
        document["paths"] = {
            "layer": report.paths.layer,
            "neuron": report.paths.neuron,
            "example": report.paths.example,
            "terms": [
                {"j": term.j, "w": term.w, "da_dz": term.da_dz, "dC_da": term.dC_da, "product": term.product}
                for term in report.paths.terms
            ],
            "sum": report.paths.sum,
        }
    if report.check:
        document["check"] = {
            "parameters": report.check.parameters,
            "max_relative_error": report.check.max_relative_error,
            "worst": report.check.worst and dict(zip(("layer", "j", "k"), report.check.worst, strict=True)),
            "passed": report.check.passed,
        }
    return document


def _derivative_document(d: Derivative) -> dict[str, Any]:
    p = "w" if d.k is not None else "b"
    place = {"layer": d.layer, "j": d.j} | ({"k": d.k} if d.k is not None else {})
    before = {"a_prev": d.a_prev} if d.k is not None else {}
    return {
        **place,
        "value": d.value,
        "example": d.example,
        "label": d.label,
        **before,
        "z": d.z,
        "a": d.a,
        "y": d.y,
        f"dz_d{p}": d.dz,
        "da_dz": d.da_dz,
        "dC_da": d.dC_da,
        f"dC_d{p}": d.product,
        "nudge": {f"d{p}": d.nudge.parameter, "dz": d.nudge.dz, "da": d.nudge.da, "dC": d.nudge.dC},
        f"mean_dC_d{p}": d.mean,
        "per_example": d.per_example,
    }


def number(value: float) -> str:
    """Nine columns: six decimals, or an exponent where these would lose what matters."""
    if abs(value) < ROUNDING:
        value = 0.0
    return f"{value:+.6f}" if value == 0 or 1e-3 <= abs(value) < 100 else f"{value:+.2e}"


def as_text(report: Report) -> str:
    """For people."""
    parts = [_heading(report), _layers(report)]
    if report.derivative:
        parts.append(_derivative(report.derivative, report.config.cost))
    if report.paths:
        parts.append(_paths(report.paths))
    if report.derivative and len(report.inspection.indices) > 1:
        parts.append(_average(report.derivative))
    if report.check:
        parts.append("\n  ".join(check_result(report.check)))
    if not report.derivative:
        layer = report.layers[-1]
        j, k, _ = layer.largest
        parts.append(f"Take one apart: --weight {layer.layer},{j},{k}, the largest of layer {layer.layer}.")
    return "\n\n".join(parts)


def _heading(report: Report) -> str:
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
    return "\n".join(lines)


def _layers(report: Report) -> str:
    lines = ["layer  weights   ‖∂C/∂w‖   ‖∂C/∂b‖  mean σ′  saturated   step/w  largest ∂C/∂w"]
    for s in report.layers:
        j, k, _ = s.largest
        ratio = "–" if s.step_ratio is None else f"{s.step_ratio:.1e}"
        lines.append(
            f"{s.layer:5}  {s.weights:7,}  {s.dC_dw_norm:.2e}  {s.dC_db_norm:.2e}  {s.mean_sigma_prime:7.4f}"
            f"  {100 * s.saturated:8.1f}%  {ratio:>7}  w({s.layer})[{j},{k}]"
        )
    return "\n".join(lines)


def _derivative(d: Derivative, cost: str) -> str:
    l, j, k = d.layer, d.j, d.k
    if k is not None:
        name, p = f"w({l})[{j},{k}]", "w"
        title = f"weight {name} = {d.value:+.6f}   from neuron {k} of layer {l - 1} to neuron {j} of layer {l}"
        first = f"∂z({l})[{j}]/∂{name}", f"a({l - 1})[{k}]"
    else:
        name, p = f"b({l})[{j}]", "b"
        title = f"bias {name} = {d.value:+.6f}   of neuron {j} of layer {l}"
        first = f"∂z({l})[{j}]/∂{name}", "1"
    C = f"C_{d.example}"
    third = FORMULA_DC_DA[cost] if d.y is not None else "Σ over paths"
    n = d.nudge
    rows = [
        ("factor", "formula", "value", f"after nudging {p} by {n.parameter:+g}", ""),
        (*first, number(d.dz), f"Δz {number(n.dz)}", f"Δz/Δ{p} {_ratio(n.dz, n.parameter)}"),
        (f"∂a({l})[{j}]/∂z({l})[{j}]", f"σ′(z({l})[{j}])", f"× {number(d.da_dz)}", f"Δa {number(n.da)}",
         f"Δa/Δz {_ratio(n.da, n.dz)}"),
        (f"∂{C}/∂a({l})[{j}]", third, f"× {number(d.dC_da)}", f"ΔC {number(n.dC)}", f"ΔC/Δa {_ratio(n.dC, n.da)}"),
        (f"∂{C}/∂{name}", "", f"= {number(d.product)}", "", f"ΔC/Δ{p} {_ratio(n.dC, n.parameter)}"),
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows[1:]) for column in range(3)]
    lines = [
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}   {e if not f else f'{e:<13}  {f}'}".rstrip()
        for a, b, c, e, f in rows
    ]
    if abs(n.dC) < ROUNDING:
        effect = f"left {C} at {d.C:.6g}"
    else:
        effect = f"{'lowered' if n.dC < 0 else 'raised'} {C} from {d.C:.6g} to {d.C + n.dC:.6g}"
    about = (
        f"example {d.example}, label {d.label}, answer {d.answer}: z({l})[{j}] = {d.z:+.6f}, a({l})[{j}] = {d.a:.6g}"
    )
    if d.y is not None:
        about += f", y[{j}] = {d.y:g}"
    return "\n".join(
        [title, about, "", *(f"  {line}" for line in lines), "",
         f"  Raising {p} by {n.parameter:g} {effect}."]
    )  # fmt: skip


def _ratio(numerator: float, denominator: float) -> str:
    return number(numerator / denominator) if abs(denominator) >= ROUNDING else "–"


def _paths(paths: Paths) -> str:
    l, k = paths.layer, paths.neuron
    ranked = sorted(paths.terms, key=lambda term: -abs(term.product))
    shown = ranked[:SHOWN_PATHS]
    scale = max((abs(term.product) for term in shown), default=0.0) or 1.0
    count = f"through layer {l + 1}, {len(shown)} of {len(ranked)}, strongest first"
    lines = [
        f"∂C_{paths.example}/∂a({l})[{k}] = Σ_j w({l + 1})[j,{k}] · σ′(z({l + 1})[j]) · "
        f"∂C_{paths.example}/∂a({l + 1})[j]\n  {count}",
        "  through           w          σ′         ∂C/∂a         product",
    ]
    for term in shown:
        bar = ("+" if term.product > 0 else "-") * round(BAR * abs(term.product) / scale)
        factors = " × ".join(number(factor) for factor in (term.w, term.da_dz, term.dC_da))
        lines.append(f"  j = {term.j:<5} {factors} = {number(term.product)}  {bar}")
    total = f"sum over all {len(ranked)}"
    lines.append(f"  {total:<46}= {number(paths.sum)}")
    return "\n".join(line.rstrip() for line in lines)


def _average(d: Derivative) -> str:
    name = f"w({d.layer})[{d.j},{d.k}]" if d.k is not None else f"b({d.layer})[{d.j}]"
    m = len(d.per_example)
    p = "w" if d.k is not None else "b"
    larger = sum(value < 0 for value in d.per_example)
    smaller = sum(value > 0 for value in d.per_example)
    lines = [
        f"∂C/∂{name} = (1/{m}) Σ_k ∂C_k/∂{name} = {number(d.mean)}   (C_{d.example} alone: {number(d.product)})",
        f"  {smaller} of the {m} examples ask for a smaller {p}, {larger} for a larger one;",
    ]
    if total := sum(abs(value) for value in d.per_example):
        lines.append(f"  {100 * (1 - abs(sum(d.per_example)) / total):.0f}% of what they ask for cancels out")
    return "\n".join(lines)


def check_result(check: GradientCheck) -> list[str]:
    """How far backpropagation and central differences are apart, in pieces of a line."""
    skipped = f" ({check.skipped:,} others could not be judged)" if check.skipped else ""
    if check.worst is None:
        return [f"check: no parameter could be judged{skipped}"]
    layer, j, k = check.worst
    name = f"w({layer})[{j},{k}]" if k is not None else f"b({layer})[{j}]"
    verdict = "agrees with" if check.passed else "DISAGREES with"
    return [
        f"check: backpropagation {verdict} central differences for {check.parameters:,} parameters{skipped};",
        f"largest relative error {check.max_relative_error:.1e}, at {name}",
    ]
