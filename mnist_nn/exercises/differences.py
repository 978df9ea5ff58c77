"""Any derivative on a sheet by central differences, from a forward pass in plain Python, one number at a time.

It shares no code with backpropagation, so that it can confirm it. Where `explaining.gradient_check` nudges weights and
biases, this nudges any quantity on the way: ∂C/∂a(1) is how C answers when a(1) itself is pushed.
"""

import math

from .problem import Problem
from .quantity import Names, Ratio, Symbol

H = 1e-3
WEIGHTS = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))  # the five-point formula, error of order h⁴


def central_difference(problem: Problem, ratio: Ratio) -> float:
    """∂top/∂bottom: of the example that the ratio names, or averaged over all examples."""
    examples = [int(ratio.scope)] if ratio.scope.isdigit() else range(len(problem.inputs))
    of_each = [
        sum(weight * _pushed(problem, e, ratio.bottom, steps * H)[_plain(ratio.top)] for steps, weight in WEIGHTS) / H
        for e in examples
    ]
    return sum(of_each) / len(of_each)


def _plain(symbol: Symbol) -> Symbol:
    """The symbol without its scope, because one example is computed at a time."""
    return Symbol(symbol.letter, symbol.layer, symbol.indices)


def _pushed(problem: Problem, example: int, pushed: Symbol, change: float) -> dict[Symbol, float]:
    """Every quantity of one example if one of them is changed, and all that depends on it follows."""
    names, values = Names(problem.sizes), dict[Symbol, float]()
    sizes, L = problem.sizes, len(problem.sizes) - 1

    def put(symbol: Symbol, value: float) -> float:
        values[symbol] = value + (change if symbol == _plain(pushed) else 0)
        return values[symbol]

    a = [put(names.a(0, k), x) for k, x in enumerate(problem.inputs[example])]
    for l in range(1, L + 1):
        z = []
        for j in range(sizes[l]):
            weighted = sum(put(names.w(l, j, k), w) * a[k] for k, w in enumerate(problem.w[l][j]))
            z.append(put(names.z(l, j), weighted + put(names.b(l, j), problem.b[l][j])))
        a = [put(names.a(l, j), 1 / (1 + math.exp(-z_j))) for j, z_j in enumerate(z)]
    put(names.C, sum((a_j - y_j) ** 2 for a_j, y_j in zip(a, problem.targets[example], strict=True)))
    return values
