"""The numbers of a sheet: one or two digits each, drawn so that no answer is degenerate and every slip shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from ..randomness import stream
from .formula import Formula, Values
from .levels import Level
from .quantity import ETA, Names, Scope, Symbol
from .questions import Question

DECIMALS = 4  # to which students round every result
LEAST, RELATIVE = 0.0005, 0.005  # how far an answer may be from the solution: the larger of the two
SMALLEST = 0.02  # size of an answer, far above LEAST
FLATTEST = 0.1  # σ′(z) of a neuron: not saturated
INPUTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.2, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.0)
WEIGHTS = tuple(sign * w for w in (*INPUTS, 4.0) if w >= 0.4 for sign in (1, -1))
BIASES = tuple(sign * tenths / 10 for tenths in range(1, 20) for sign in (1, -1))
RATES = (0.5, 1.5, 2.0, 3.0, 4.0, 5.0)
POOLS = {"w": WEIGHTS, "b": BIASES, "a": INPUTS, "y": (0.0, 1.0), "η": RATES}


@dataclass(frozen=True)
class Problem:
    """The given numbers of a sheet, by symbol: parameters, then each example's inputs and targets, perhaps η."""

    sizes: tuple[int, ...]
    examples: int
    numbers: dict[Symbol, float]

    @property
    def given(self) -> dict[str, float]:
        """The given numbers by key, in a new dictionary."""
        return {symbol.key: value for symbol, value in self.numbers.items()}

    @property
    def scopes(self) -> list[Scope]:
        """The scope of each example."""
        return _scopes(self.examples)

    @cached_property
    def w(self) -> dict[int, list[list[float]]]:
        """w[l] as rows: one for each neuron of layer l."""
        names, sizes = Names(self.sizes), self.sizes
        return {
            l: [[self.numbers[names.w(l, j, k)] for k in range(sizes[l - 1])] for j in range(sizes[l])]
            for l in range(1, len(sizes))
        }

    @cached_property
    def b(self) -> dict[int, list[float]]:
        """b[l] as one number for each neuron of layer l."""
        names, sizes = Names(self.sizes), self.sizes
        return {l: [self.numbers[names.b(l, j)] for j in range(sizes[l])] for l in range(1, len(sizes))}

    @cached_property
    def inputs(self) -> list[list[float]]:
        """One row of inputs for each example."""
        each = [Names(self.sizes, scope) for scope in self.scopes]
        return [[self.numbers[of.a(0, k)] for k in range(self.sizes[0])] for of in each]

    @cached_property
    def targets(self) -> list[list[float]]:
        """One row of desired outputs for each example."""
        each = [Names(self.sizes, scope) for scope in self.scopes]
        return [[self.numbers[of.y(j)] for j in range(self.sizes[-1])] for of in each]

    @property
    def learning_rate(self) -> float | None:
        """η, if the sheet takes a step."""
        return self.numbers.get(ETA)


def _scopes(examples: int) -> list[Scope]:
    return [""] if examples == 1 else [str(e) for e in range(examples)]


def _given_symbols(level: Level) -> Iterator[Symbol]:
    """Yield the symbols of the given numbers."""
    names, sizes = Names(level.sizes), level.sizes
    for l in range(1, len(sizes)):
        yield from (names.w(l, j, k) for j in range(sizes[l]) for k in range(sizes[l - 1]))
        yield from (names.b(l, j) for j in range(sizes[l]))
    for scope in _scopes(level.examples):
        of = Names(sizes, scope)
        yield from (of.a(0, k) for k in range(sizes[0]))
        yield from (of.y(j) for j in range(sizes[-1]))
    if level.steps:
        yield ETA


def tolerance(value: float) -> float:
    """How far an answer may be from this value."""
    return max(LEAST, RELATIVE * abs(value))


def evaluate(questions: tuple[Question, ...], given: Values, decimals: int | None = None) -> dict[str, float]:
    """The given numbers and every answer, by key. With `decimals` each answer is rounded before it is used."""
    values = dict(given)
    for question in questions:
        value = question.formula.value(values)
        values[question.key] = value if decimals is None else round(value, decimals)
    return values


def problems(level: Level, seed: int, students: int) -> Iterator[Problem]:
    """Yield a different problem for each student 1, 2, …, always the same ones for the same seed."""
    symbols = list(_given_symbols(level))
    seen = set()
    for student in range(1, students + 1):
        random = stream(seed, "exercise", level.number, student)
        while True:
            drawn = random.random(len(symbols)).tolist()
            numbers = {symbol: _pick(POOLS[symbol.letter], at) for symbol, at in zip(symbols, drawn, strict=True)}
            if _is_good(level, numbers) and tuple(numbers.values()) not in seen:
                break
        seen.add(tuple(numbers.values()))
        yield Problem(level.sizes, level.examples, numbers)


def _pick(pool: tuple[float, ...], at: float) -> float:
    """The member of a pool at a place from 0 to 1."""
    return pool[int(at * len(pool))]


def _is_good(level: Level, numbers: dict[Symbol, float]) -> bool:
    """Whether the sheet is worth working out.

    No two given numbers have the same size, because a mix-up would not show. No answer is near 0, and no neuron is
    saturated. Answers that are rounded on the way stay well within the tolerance. A step lowers the cost by a tenth
    or more. Every slip shows.
    """
    sizes = [abs(value) for symbol, value in numbers.items() if symbol.letter != "y"]
    if len(set(sizes)) < len(sizes):
        return False
    given = {symbol.key: value for symbol, value in numbers.items()}
    values = dict(given)
    for question in level.questions:
        value = values[question.key] = question.formula.value(values)
        if abs(value) < SMALLEST:
            return False
        if isinstance(question.quantity, Symbol) and question.quantity.letter == "a" and value * (1 - value) < FLATTEST:
            return False
    rounded = evaluate(level.questions, given, DECIMALS)
    if any(abs(rounded[key] - value) > tolerance(value) / 2 for key, value in values.items()):
        return False
    if level.steps and values["new_C"] > 0.9 * values["C"]:
        return False
    return all(_slips_show(question.formula, values) for question in level.questions)


def _slips_show(formula: Formula, values: Values) -> bool:
    """Whether every slip gives a number of its own, far enough from the answer and from every other slip's."""
    results = sorted([formula.value(values), *(slip.formula.value(values) for slip in formula.slips)])
    return all(high - low > tolerance(low) + tolerance(high) for low, high in pairwise(results))
