"""The solution of a sheet, from the code behind `nn inspect-gradients`, checked before anyone sees it."""

import math
from dataclasses import dataclass

import numpy as np

from ..chapter.backprop import backprop
from ..chapter.cost import COSTS
from ..chapter.network import Network
from ..chapter.sgd import SGD
from ..errors import GradientCheckError
from ..examples.dataset import Examples
from ..explaining.expanded_gradient import Entry, expanded_gradient
from ..explaining.expanded_gradient import Factor as EntryFactor
from ..explaining.gradient_check import check_gradient
from ..explaining.inspection import Inspection
from ..explaining.parameter import Parameter
from .differences import central_difference
from .formula import Factor, Formula, Term
from .levels import Level
from .problem import Problem
from .quantity import Names, Quantity, Ratio
from .questions import da_dz, dC_da

COST = COSTS["squared_error"]
SAME = 1e-9  # relative: backpropagation and the formula of a question
CLOSE = 1e-7  # relative: backpropagation and a central difference


@dataclass(frozen=True)
class Solution:
    """Every quantity of a sheet by key, and for the entries of ∇C the formula that takes them wholly apart.

    `in_full` has formulas of one example, by the key of the question.
    """

    values: dict[str, float]
    in_full: dict[str, Formula]


def network_of(problem: Problem) -> Network:
    """The sheet's network, in float64."""
    network = Network(problem.sizes, dtype=np.float64)
    for l in network.layers:
        network.w[l] = problem.w[l]
        network.b[l] = np.array(problem.b[l])[:, None]
    return network


def solve(level: Level, problem: Problem) -> Solution:
    """The solution of a sheet. Raises GradientCheckError unless every number is confirmed in two other ways.

    The numbers are those of `Inspection`. Every answer must be what its formula gives, and every derivative what a
    central difference gives. `check_gradient` must confirm all of ∇C, too.
    """
    network = network_of(problem)
    inspection = _inspection(problem, network)
    values = problem.given
    for position, scope in enumerate(problem.scopes):
        values |= _of_example(inspection, Names(problem.sizes, scope), position)
    values |= _averaged(inspection, Names(problem.sizes))
    if problem.learning_rate is not None:
        values |= _after_step(problem, inspection)
    _confirm(level, problem, inspection, values)
    in_full = {}
    for position, scope in enumerate(problem.scopes):
        names = Names(problem.sizes, scope)
        for entry in expanded_gradient(inspection, position):
            ratio, formula = _ratio(names, entry.parameter), _formula(names, entry)
            _require_same(ratio, entry.product, formula.value(values), "the product of its factors", SAME)
            _require_same(ratio, entry.product, values[ratio.key], "the solution", SAME)
            in_full[ratio.key] = formula
    return Solution(values, in_full)


def _formula(names: Names, entry: Entry) -> Formula:
    """An entry of ∇C as `nn inspect-gradients` takes it apart: all factors from the parameter up to the cost."""
    return Formula((Term(tuple(_factor(names, factor) for factor in entry.factors)),))


def _factor(names: Names, factor: EntryFactor) -> Factor:
    l, j = factor.layer, factor.index
    match factor.kind:
        case "a":
            return Factor("value", (names.a(l, j),))
        case "1":
            return Factor("one", ())
        case "w":
            return Factor("value", (names.w(l, 0, j),))
        case "da_dz":
            return da_dz(names, l, j)
        case _:
            return dC_da(names, l, j)


def _inspection(problem: Problem, network: Network) -> Inspection:
    examples = Examples(np.array(problem.inputs), np.array(problem.targets))
    return Inspection(network, COST, examples, list(range(len(problem.inputs))))


def _ratio(names: Names, parameter: Parameter) -> Ratio:
    l, j, k = parameter.layer, parameter.j, parameter.k
    return Ratio(names.C, names.b(l, j) if k is None else names.w(l, j, k))


def _of_example(inspection: Inspection, names: Names, position: int) -> dict[str, float]:
    """Every z, a, C and derivative of one example."""
    network, L = inspection.network, inspection.network.L
    values = {names.C.key: float(inspection.C[position])}
    for l in network.layers:
        for j in range(network.sizes[l]):
            z, a = names.z(l, j), names.a(l, j)
            values[z.key] = float(inspection.passed.z[l][j, position])
            values[a.key] = float(inspection.passed.a[l][j, position])
    for index in range(network.parameters.size):
        parameter = Parameter.at(network, index)
        derivative = inspection.derivative(parameter, position)
        ratio, (l, j) = _ratio(names, parameter), (parameter.layer, parameter.j)
        values[ratio.key] = derivative.product
        values[Ratio(names.z(l, j), ratio.bottom).key] = derivative.dz
        values[Ratio(names.a(l, j), names.z(l, j)).key] = derivative.da_dz
        values[Ratio(names.C, names.a(l, j)).key] = derivative.dC_da
    for l in range(L):
        for k in range(network.sizes[l]):
            paths = inspection.paths(l, k, position)
            values[Ratio(names.C, names.a(l, k)).key] = paths.sum
            for path in paths.terms:
                values[Ratio(names.z(l + 1, path.j), names.a(l, k)).key] = path.w
    return values


def _averaged(inspection: Inspection, names: Names) -> dict[str, float]:
    """C and ∇C, averaged over the examples."""
    values = {names.C.key: float(inspection.C.mean())}
    for index, mean in enumerate(inspection.gradient.vector):
        values[_ratio(names, Parameter.at(inspection.network, index)).key] = float(mean)
    return values


def _after_step(problem: Problem, inspection: Inspection) -> dict[str, float]:
    """The new parameters after one step of the chapter's SGD, and the forward pass with them."""
    rate, names = problem.learning_rate or 0.0, Names(problem.sizes, "new")
    network, sgd = network_of(problem), SGD()
    back = backprop(network, COST, inspection.passed, inspection.y, scale=rate)
    sgd.step(network, back.gradient, sgd.new_velocity(network), rate)
    values = _of_example(_inspection(problem, network), names, 0)
    for index in range(network.parameters.size):
        parameter = Parameter.at(network, index)
        values[_ratio(names, parameter).bottom.key] = parameter.value(network)
    return values


def _confirm(level: Level, problem: Problem, inspection: Inspection, values: dict[str, float]) -> None:
    for question in level.questions:
        quantity, answer = question.quantity, values[question.key]
        _require_same(quantity, answer, question.formula.value(values), "its formula", SAME)
        if isinstance(quantity, Ratio):
            _require_same(quantity, answer, central_difference(problem, quantity), "a central difference", CLOSE)
    network, x, y = inspection.network, inspection.x, inspection.y
    if not check_gradient(network, COST, x, y, inspection.gradient).passed:
        raise GradientCheckError(f"{level.name}: central differences do not confirm ∇C of a sheet; nothing is written")


def _require_same(quantity: Quantity, answer: float, other: float, source: str, relative: float) -> None:
    if not math.isclose(answer, other, rel_tol=relative, abs_tol=1e-12):
        raise GradientCheckError(
            f"{quantity.full_text}: the solution is {answer!r}, but {source} gives {other!r}; "
            "nothing is written: report this as an error of nn"
        )
