"""The results of `nn inspect-gradients`: computed once, then written as text, JSON or an HTML page."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, cast

from ..configuration.schema import Config
from ..explaining.diagnosis import Finding, diagnose, facts_of
from ..explaining.expanded_gradient import Entry, expanded_gradient
from ..explaining.gradient_check import Difference, GradientCheck
from ..explaining.inspection import Derivative, Inspection, LayerSummary, Paths
from ..explaining.parameter import Parameter
from ..training.schedule import learning_rate
from ..training.state import GradientNorms

MAX_EXPANDED = 30  # parameters of a network whose whole ∇C is shown


@dataclass(frozen=True)
class Report:
    """All results of one inspection, with the name, configuration and examples that they belong to.

    The examples are of a `split`, or the digit on a `picture`, or else were given.
    `rate_of` is the epoch to which `learning_rate` belongs: the next epoch, or the last one of a finished training.
    If the parameter's neuron is hidden, `route` begins with the sum over paths that gives its ∂C_i/∂a. `entries` is
    the whole ∇C_i of a network that is small enough to read, else empty. `diagnosis` says what is wrong with the
    gradient.
    """

    name: str
    config: Config
    split: str | None
    picture: str | None
    learning_rate: float
    rate_of: Literal["next", "last"]
    inspection: Inspection
    layers: list[LayerSummary]
    diagnosis: list[Finding]
    norms: list[GradientNorms]
    derivative: Derivative
    route: list[Paths]
    entries: list[Entry]
    check: GradientCheck | None
    differences: list[Difference]

    @property
    def source(self) -> str:
        """Where the examples are from."""
        return f"the {self.split} split" if self.split else self.picture or "the given examples"


def make_report(
    name: str,
    config: Config,
    inspection: Inspection,
    *,
    split: str | None = None,
    picture: str | None = None,
    epoch: int,
    is_trained: bool,
    parameter: Parameter | None = None,
    shown: int | None = None,
    depth: int = 1,
    norms: Sequence[GradientNorms] = (),
    check: GradientCheck | None = None,
    differences: Sequence[Difference] = (),
) -> Report:
    """Return the report of an inspection, after `epoch` epochs of training.

    It takes a parameter apart for the example at position `shown`: by default the weight with the largest |∂C/∂w|, and
    the example for which that derivative is largest. `depth` is the number of layers that the route follows.
    """
    is_over = epoch >= config.training.epochs
    rate = learning_rate(epoch - is_over, config.training)
    init = config.network.init
    if shown is None:
        shown = 0 if parameter else inspection.strongest(inspection.largest())
    parameter = parameter or inspection.largest()
    facts = facts_of(
        inspection,
        config.training.learning_rate,
        is_trained=is_trained,
        initialization=init if isinstance(init, str) else None,
    )
    is_small = inspection.network.parameters.size <= MAX_EXPANDED
    return Report(
        name=name,
        config=config,
        split=split,
        picture=picture,
        learning_rate=rate,
        rate_of="last" if is_over else "next",
        inspection=inspection,
        layers=inspection.layers(rate),
        diagnosis=diagnose(facts),
        norms=list(norms),
        derivative=inspection.derivative(parameter, shown),
        route=list(islice(inspection.route(parameter, shown), depth)),
        entries=list(expanded_gradient(inspection, shown)) if is_small else [],
        check=check,
        differences=list(differences),
    )


def as_document(report: Report) -> dict[str, Any]:
    """Return the document of `--json`. Its field names must not change: other programs read them."""
    d = report.derivative
    document: dict[str, Any] = {
        "sizes": list(report.config.network.sizes),
        "activation": report.config.network.activation,
        "output": report.config.network.output,
        "cost_function": report.config.cost,
        "split": report.split,
        "source": report.source,
        "examples": report.inspection.indices,
        "cost": float(report.inspection.C.mean()),
        "layers": [
            {**asdict(layer), "largest": dict(zip(("j", "k", "dC_dw"), layer.largest, strict=True))}
            for layer in report.layers
        ],
        "bias" if d.parameter.k is None else "weight": _derivative(d),
    }
    if d.parameter.layer < report.inspection.network.L:
        document["paths"] = _paths(report.route[0])
    if report.check:
        document["check"] = {
            "parameters": report.check.parameters,
            "max_relative_error": report.check.max_relative_error,
            "worst": report.check.worst and asdict(report.check.worst),
            "passed": report.check.passed,
            "skipped": report.check.skipped,
            "differences": [asdict(difference) for difference in report.differences],
        }
    document["route"] = [_paths(paths) for paths in report.route]
    if report.entries:
        document["gradient"] = [_entry(entry) for entry in report.entries]
    if report.norms:
        document["gradient_norms"] = [asdict(norms) for norms in report.norms]
    document["diagnosis"] = [asdict(finding) for finding in report.diagnosis]
    return cast(dict[str, Any], _without_infinities(document))


def _derivative(d: Derivative) -> dict[str, Any]:
    p = d.parameter.letter
    place = {name: value for name, value in asdict(d.parameter).items() if value is not None}
    before = {"a_prev": d.a_prev} if p == "w" else {}
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
        "dC_dz": d.dC_dz,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    values = asdict(entry)
    return {**values.pop("parameter"), **values}


def _paths(paths: Paths) -> dict[str, Any]:
    return {
        "layer": paths.layer,
        "neuron": paths.neuron,
        "example": paths.example,
        "terms": [
            {"j": term.j, "w": term.w, "da_dz": term.da_dz, "dC_da": term.dC_da, "product": term.product}
            for term in paths.terms
        ],
        "sum": paths.sum,
    }


def _without_infinities(value: Any) -> Any:
    """Return the value with None for each NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_infinities(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_infinities(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
