"""Formulas that can be evaluated, written out, and got wrong: each knows the common slips in it.

A formula is a sum of products, perhaps divided by the number of examples. It is evaluated from a dictionary of values
by key, so it can also be evaluated from a student's own earlier answers.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from .quantity import Expression, Quantity, Ratio

Values = Mapping[str, float]
Kind = Literal[
    "value", "one", "sigma", "sigma_prime", "twice_difference", "difference_squared",
    "turned", "flipped_sigma", "z_for_a", "difference", "half_squared",
]  # fmt: skip


def _sigma(z: float) -> float:
    return 1 / (1 + math.exp(-max(z, -500.0)))  # a student may answer any z, and e^1000 would be an error


# How a factor is computed from the quantities that it is made of. The last five occur in slips only.
COMPUTED: dict[Kind, Callable[..., float]] = {
    "value": lambda value: value,
    "one": lambda: 1.0,
    "sigma": _sigma,
    "sigma_prime": lambda a: a * (1 - a),
    "twice_difference": lambda a, y: 2 * (a - y),
    "difference_squared": lambda a, y: (a - y) * (a - y),  # not ** 2, which raises OverflowError for absurd answers
    "turned": lambda value: -value,
    "flipped_sigma": lambda z: _sigma(-z),
    "z_for_a": lambda z: z * (1 - z),
    "difference": lambda a, y: a - y,
    "half_squared": lambda a, y: (a - y) * (a - y) / 2,
}


@dataclass(frozen=True)
class Swap:
    """A slip in one factor: `factor` takes its place, or with None nothing does.

    `detail` names the quantity. `general` does not, because in a sum it holds for every term.
    """

    general: str
    detail: str
    factor: "Factor | None"


@dataclass(frozen=True)
class Factor:
    """One factor: how it is computed, from what, and what is commonly written in its place.

    `ratio` is its name in the chain rule. If the ratio is among the values, it is taken from there, so that an
    earlier answer counts.
    """

    kind: Kind
    of: tuple[Quantity, ...]
    ratio: Ratio | None = None
    shown: Quantity | None = None  # what σ and σ′ are written of: z
    swaps: tuple[Swap, ...] = ()

    def value(self, values: Values) -> float:
        if self.ratio is not None and self.ratio.key in values:
            return values[self.ratio.key]
        return COMPUTED[self.kind](*(values[quantity.key] for quantity in self.of))

    def used(self, values: Values) -> Iterator[Quantity]:
        """The quantities that the value is taken from."""
        if self.ratio is not None and self.ratio.key in values:
            yield self.ratio
        else:
            yield from self.of

    def symbols(self) -> Expression:
        """The factor by its formula, such as σ′(z) or 2(a − y)."""
        match self.kind:
            case "one":
                return ["1"]
            case "sigma":
                return ["σ(", self.of[0], ")"]
            case "sigma_prime":
                return ["σ′(", self.shown or self.of[0], ")"]
            case "twice_difference":
                return ["2(", self.of[0], " − ", self.of[1], ")"]
            case "difference_squared":
                return ["(", self.of[0], " − ", self.of[1], ")²"]
            case _:
                return [self.of[0]]

    def numbers(self, values: Values, alone: bool) -> Expression:
        """The factor with its numbers. `alone`: as the whole right side, where σ′ and 2(a − y) are taken apart."""
        given = [number(values[quantity.key]) for quantity in self.of]
        match self.kind:
            case "sigma":
                return [f"σ({given[0]})"]
            case "sigma_prime" if alone:
                return [f"{given[0]} × (1 − {given[0]})"]
            case "twice_difference" if alone:
                return [f"2 × ({given[0]} − {given[1]})"]
            case "difference_squared":
                return [f"({given[0]} − {given[1]})²"]
            case _:
                written = number(self.value(values))
                return [written if alone else _in_brackets(written)]


@dataclass(frozen=True)
class Term:
    """A product of factors, added or subtracted. `left_out` says what was forgotten if the whole term is missing."""

    factors: tuple[Factor, ...]
    negative: bool = False
    left_out: str | None = None

    def value(self, values: Values) -> float:
        product = math.prod(factor.value(values) for factor in self.factors)
        return -product if self.negative else product


@dataclass(frozen=True)
class Slip:
    """A common mistake: what was done, and the formula that was then computed."""

    reason: str
    formula: "Formula"


@dataclass(frozen=True)
class Formula:
    """A sum of terms, divided by `share`, the number of examples. `also` holds slips that concern no single factor."""

    terms: tuple[Term, ...]
    share: int = 1
    also: tuple[Slip, ...] = ()

    def value(self, values: Values) -> float:
        return sum(term.value(values) for term in self.terms) / self.share

    def used(self, values: Values) -> list[Quantity]:
        """The quantities that the value is taken from, each once."""
        return list(dict.fromkeys(q for term in self.terms for factor in term.factors for q in factor.used(values)))

    def names(self) -> Expression | None:
        """The chain rule in ratios, or None if the formula is none."""
        if not all(factor.ratio for term in self.terms for factor in term.factors):
            return None
        return self._written(lambda factor: [factor.ratio] if factor.ratio else [], " · ")

    def symbols(self) -> Expression:
        """The formula in symbols."""
        return self._written(Factor.symbols, " · ")

    def numbers(self, values: Values) -> Expression:
        """The formula with numbers."""
        alone = len(self.terms) == 1 and len(self.terms[0].factors) == 1 and self.share == 1
        return self._written(lambda factor: factor.numbers(values, alone), " × ")

    def products(self, values: Values) -> Expression:
        """The formula with the value of each term."""
        return self._joined([[_in_brackets(number(math.prod(f.value(values) for f in t.factors)))] for t in self.terms])

    def _written(self, write: Callable[[Factor], Expression], times: str) -> Expression:
        written = []
        for term in self.terms:
            product: Expression = []
            for factor in term.factors:
                product += ([times] if product else []) + write(factor)
            written.append(product)
        return self._joined(written)

    def _joined(self, terms: list[Expression]) -> Expression:
        expression: Expression = []
        for term, written in zip(self.terms, terms, strict=True):
            if expression:
                expression.append(" − " if term.negative else " + ")
            expression += written
        if isinstance(first := expression[0], str) and first.startswith("(−") and first.endswith(")"):
            expression[0] = first[1:-1]  # no brackets where no sign stands before
        return expression if self.share == 1 else [f"1/{self.share} · (", *expression, ")"]

    @cached_property
    def slips(self) -> tuple[Slip, ...]:
        """The common mistakes: in all terms alike, in one factor, in one term, and in the whole."""
        return tuple(self._slips())

    def _slips(self) -> Iterator[Slip]:
        several = len(self.terms) > 1
        if several and len({len(term.factors) for term in self.terms}) == 1:
            yield from self._in_every_term()
        for t, term in enumerate(self.terms):
            for f, factor in enumerate(term.factors):
                for swap in factor.swaps:
                    changed = self._with_term(t, _swapped(term, f, swap.factor))
                    yield Slip(swap.detail, changed)
            if several and term.left_out:
                yield Slip(term.left_out, replace(self, terms=self.terms[:t] + self.terms[t + 1 :]))
        yield from self.also

    def _in_every_term(self) -> Iterator[Slip]:
        for f, factor in enumerate(self.terms[0].factors):
            for s, swap in enumerate(factor.swaps):
                if all(len(term.factors[f].swaps) > s for term in self.terms):
                    terms = tuple(_swapped(term, f, term.factors[f].swaps[s].factor) for term in self.terms)
                    yield Slip(f"{swap.general}, in every term", replace(self, terms=terms))

    def _with_term(self, t: int, term: Term) -> "Formula":
        return replace(self, terms=(*self.terms[:t], term, *self.terms[t + 1 :]))


def _in_brackets(written: str) -> str:
    return f"({written})" if written.startswith("−") else written


def _swapped(term: Term, f: int, factor: Factor | None) -> Term:
    return replace(term, factors=(*term.factors[:f], *([factor] if factor else []), *term.factors[f + 1 :]))


def number(value: float) -> str:
    """A number as it stands on a sheet: exact if four decimals suffice, else rounded to four decimals."""
    text = f"{value:.4f}"
    if abs(value - float(text)) < 1e-12:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "0") else text.replace("-", "−")
