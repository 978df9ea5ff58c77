"""The questions of a sheet, each with its formula: forwards, backwards, the average, and the step downhill."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .formula import Factor, Formula, Slip, Swap, Term
from .quantity import ETA, Names, Quantity, Ratio, Symbol


@dataclass(frozen=True)
class Question:
    """A quantity to compute, its formula, and the part of the sheet in which it is asked."""

    quantity: Quantity
    formula: Formula
    part: str

    @property
    def key(self) -> str:
        return self.quantity.key


def forwards(names: Names, part: str) -> Iterator[Question]:
    """z and a of every neuron, then C."""
    sizes, L = names.sizes, len(names.sizes) - 1
    for l in range(1, L + 1):
        for j in range(sizes[l]):
            z = names.z(l, j)
            yield Question(z, _weighted_sum(names, l, j), part)
            yield Question(names.a(l, j), Formula((Term((_sigma(z),)),)), part)
    yield Question(names.C, Formula(tuple(_squared(names, j) for j in range(sizes[L]))), part)


def _weighted_sum(names: Names, l: int, j: int) -> Formula:
    b = names.b(l, j)
    terms, old = [], Names(names.sizes)
    for k in range(names.sizes[l - 1]):
        w, a = names.w(l, j, k), names.a(l - 1, k)
        swaps = [_dropped(w)]
        if names.scope == "new":
            swaps.append(_instead(old.w(l, j, k), w, "the old w was used"))
        terms.append(Term((_value(w, swaps), _value(a, [_dropped(a)]))))
    swaps = [Swap("the sign of b was turned", f"the sign of {b.text} was turned", Factor("turned", (b,)))]
    if names.scope == "new":
        swaps.append(_instead(old.b(l, j), b, "the old b was used"))
    terms.append(Term((_value(b, swaps),), left_out=f"{b.text} was left out"))
    also: tuple[Slip, ...] = ()
    if names.sizes[l - 1] == 1:
        w, a = names.w(l, j, 0), names.a(l - 1, 0)
        swapped = Formula((Term((_value(b), _value(a))), Term((_value(w),))))
        also = (Slip(f"{w.text} and {b.text} were swapped", swapped),)
    return Formula(tuple(terms), also=also)


def _sigma(z: Symbol) -> Factor:
    return Factor(
        "sigma",
        (z,),
        swaps=(
            Swap("σ was not applied", f"σ was not applied to {z.text}", _value(z)),
            Swap("the sign in e^(−z) was turned", "the sign in e^(−z) was turned", Factor("flipped_sigma", (z,))),
        ),
    )


def _squared(names: Names, j: int) -> Term:
    a, y = names.a(len(names.sizes) - 1, j), names.y(j)
    difference, half = Factor("difference", (a, y)), Factor("half_squared", (a, y))
    swaps = (
        Swap("the difference was not squared", f"{a.text} − {y.text} was not squared", difference),
        Swap("a factor ½ was put in", "a factor ½ was put in; the chapter's C has none", half),
    )
    factor = Factor("difference_squared", (a, y), swaps=swaps)
    return Term((factor,), left_out=f"output neuron {j} was left out")


def parameters_of_layer(names: Names, l: int, part: str) -> Iterator[Question]:
    """∂C/∂w and ∂C/∂b of every neuron of a layer."""
    for j in range(names.sizes[l]):
        rest = (da_dz(names, l, j), dC_da(names, l, j))
        a = names.a(l, j)
        for k in range(names.sizes[l - 1]):
            w, a_prev = names.w(l, j, k), names.a(l - 1, k)
            swaps = [_dropped(a_prev), _instead(a, a_prev), _instead(w, a_prev)]
            first = _value(a_prev, swaps, Ratio(names.z(l, j), w))
            yield Question(Ratio(names.C, w), Formula((Term((first, *rest)),)), part)
        b, a_prev = names.b(l, j), names.a(l - 1, 0)
        detail = f"{a_prev.text} was multiplied in, but ∂{names.z(l, j).text}/∂{b.text} is 1"
        one = Factor("one", (), Ratio(names.z(l, j), b), swaps=(Swap(detail, detail, _value(a_prev)),))
        yield Question(Ratio(names.C, b), Formula((Term((one, *rest)),)), part)


def activation_of_layer(names: Names, l: int, part: str) -> Iterator[Question]:
    """∂C/∂a of every neuron of a layer below the last: the sum over all paths through the layer above."""
    above = range(names.sizes[l + 1])
    for k in range(names.sizes[l]):
        a, terms = names.a(l, k), []
        for j in above:
            w = names.w(l + 1, j, k)
            swaps = [_dropped(w), _instead(a, w)]
            for wrong in (names.w(l + 1, other, k) for other in above if other != j):
                swaps.append(replace(_instead(wrong, w), general="the weight of another path was used"))
            if l + 1 < len(names.sizes) - 1 and names.sizes[l + 2] == 1:
                swaps.append(_instead(names.w(l + 2, 0, j), w))
            first = _value(w, swaps, Ratio(names.z(l + 1, j), a))
            factors = (first, da_dz(names, l + 1, j), dC_da(names, l + 1, j))
            terms.append(Term(factors, left_out=f"the path through neuron {j} of layer {l + 1} was left out"))
        yield Question(Ratio(names.C, a), Formula(tuple(terms)), part)


def factors_of_layer(names: Names, l: int, part: str) -> Iterator[Question]:
    """The three ratios of the chain rule, each as a question of its own."""
    z, a, w, a_prev = names.z(l, 0), names.a(l, 0), names.w(l, 0, 0), names.a(l - 1, 0)
    first = _value(a_prev, [_instead(w, a_prev), _instead(a, a_prev)])
    for ratio, factor in (
        (Ratio(z, w), first),
        (Ratio(a, z), da_dz(names, l, 0)),
        (Ratio(names.C, a), dC_da(names, l, 0)),
    ):
        swaps = tuple(swap for swap in factor.swaps if swap.factor)
        yield Question(ratio, Formula((Term((replace(factor, ratio=None, swaps=swaps),)),)), part)


def da_dz(names: Names, l: int, j: int) -> Factor:
    """∂a/∂z = σ′(z) = a (1 − a)."""
    z, a = names.z(l, j), names.a(l, j)
    prime = f"σ′({z.text})"
    return Factor(
        "sigma_prime",
        (a,),
        Ratio(a, z),
        shown=z,
        swaps=(
            Swap("σ′ was dropped", f"{prime} was dropped", None),
            Swap("σ was used in place of σ′", f"σ({z.text}) was used in place of {prime}", _value(a)),
            Swap("z(1 − z) was used in place of σ′", f"z(1 − z) was used in place of {prime}", Factor("z_for_a", (z,))),
        ),
    )


def dC_da(names: Names, l: int, j: int) -> Factor:
    """∂C/∂a: 2(a − y) in the last layer, else the answer of an earlier question."""
    a = names.a(l, j)
    ratio = Ratio(names.C, a)
    if l < len(names.sizes) - 1:
        return Factor("value", (ratio,), ratio, swaps=(_dropped(ratio),))
    y = names.y(j)
    difference = f"{a.text} − {y.text}"
    turned = Factor("twice_difference", (y, a))
    squared = Factor("difference_squared", (a, y))
    return Factor(
        "twice_difference",
        (a, y),
        ratio,
        swaps=(
            Swap("the 2 was dropped", f"the 2 of 2({difference}) was dropped", Factor("difference", (a, y))),
            Swap("the sign of a − y was turned", f"the sign of {difference} was turned", turned),
            Swap("C was used in place of ∂C/∂a", f"({difference})² was used in place of 2({difference})", squared),
            Swap("2(a − y) was dropped", f"2({difference}) was dropped", None),
        ),
    )


def averages(names: list[Names], bottoms: list[Symbol], part: str) -> Iterator[Question]:
    """C and its derivatives, each the average over the examples. `names` has one member for each example."""
    C, m = Symbol("C"), len(names)
    for bottom in (None, *bottoms):
        of_each = [of.C if bottom is None else Ratio(of.C, bottom) for of in names]
        terms = tuple(Term((_value(q),), left_out=f"example {e} was left out") for e, q in enumerate(of_each))
        also = [Slip(f"the sum was not divided by {m}, the number of examples", Formula(terms))]
        also += [Slip(f"only example {e} was taken", Formula((term,))) for e, term in enumerate(terms)]
        quantity = C if bottom is None else Ratio(C, bottom)
        yield Question(quantity, Formula(terms, m, tuple(also)), part)


def steps(names: Names, l: int, part: str) -> Iterator[Question]:
    """The new w and b of the only neuron of a layer, after one step downhill."""
    pair = [names.w(l, 0, 0), names.b(l, 0)]
    for old, other in zip(pair, reversed(pair), strict=True):
        dC, wrong = Ratio(names.C, old), Ratio(names.C, other)
        without_eta = Swap("η was dropped", "η was dropped", None)
        start = Term((_value(old),))
        step = Term((_value(ETA, [without_eta]), _value(dC, [_instead(wrong, dC)])), negative=True)
        upwards = replace(step, negative=False)
        uphill = Slip("the step went uphill: + in place of −", Formula((start, upwards)))
        alone = Slip(f"only η {dC.text} was computed, not the new {old.letter}", Formula((upwards,)))
        quantity = Symbol(old.letter, old.layer, old.indices, "new")
        yield Question(quantity, Formula((start, step), also=(uphill, alone)), part)


def _value(quantity: Quantity, swaps: list[Swap] | None = None, ratio: Ratio | None = None) -> Factor:
    return Factor("value", (quantity,), ratio, swaps=tuple(swaps or ()))


def _dropped(quantity: Quantity) -> Swap:
    general = quantity.letter if isinstance(quantity, Symbol) else "∂C/∂a"
    return Swap(f"{general} was dropped", f"{quantity.text} was dropped", None)


def _instead(wrong: Quantity, right: Quantity, detail: str | None = None) -> Swap:
    detail = detail or f"{wrong.text} was used in place of {right.text}"
    return Swap(detail, detail, _value(wrong))
