"""What is wrong with a network's gradient, in words: saturated layers, vanishing gradients, too large a step.

`page/diagnosis.js` of the command has the same rules, and `test_diagnosis.py` compares the two.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..examples.dataset import Examples
from .inspection import Inspection, LayerSummary

Kind = Literal["symmetric", "saturated", "stuck", "dead", "vanishing", "exploding", "large_steps", "small_steps"]

WORKS = 0.5  # skill of a network that is not ill: trained networks are saturated too, but at the right values
MIN_EXAMPLES = 4  # fewer say nothing about how good a network is
MIN_FOR_GUESSING = 20  # examples; an accuracy on fewer is mostly chance
MOSTLY_SATURATED = 0.8  # share of σ′ < 0.01 in a hidden layer; standard_normal begins with 0.6 and still learns
MOSTLY_STUCK = 0.9  # share of σ′ < 0.01 in the last layer …
NO_GRADIENT = 1e-3  # … and rms ∂C/∂z there; at the start of training it is 0.05 and more
NEAR_ZERO = 0.05  # average output that counts as "near 0"; the base rate of ten classes is 0.1
MOSTLY_DEAD = 0.5  # share of relu neurons that are 0 for every example; up to 0.1 is common
MIN_FOR_DEAD = 32  # examples; a good relu neuron may be 0 for a few
# ∂C/∂z of the first layer against the last one. Each sigmoid layer costs up to a factor 4, so two hidden layers
# with small weights still have 1/16.
VANISHING = 1 / 50
EXPLODING = 50
LARGE_STEP = 0.1  # step / weights; a network that learns has 0.01 or less after some steps
LARGE_FIRST_STEP = 10  # the same before training; first steps that set the output biases may be as long as w
SMALL_STEP = 1e-6  # step / weights; 10,000 steps then move a weight by 1 %
GOOD_STEP = 1e-3  # step / weights of a usual training
USUAL_RATES = 0.01, 3.0  # learning rates with which the recipes train well


@dataclass(frozen=True)
class Facts:
    """What a diagnosis is made from. All figures are over the same examples.

    `skill` says how good the network is: 0 if it is no better than guessing, 1 if it is perfect. It is None if that is
    unknown. `learning_rate` is the η that the user chose, and each layer's `step_ratio` belongs to it. `output_mean` is
    the average output. `is_trained` is False before the first step. `initialization` is None if it is not a scheme.
    """

    activation: str
    output: str
    learning_rate: float
    cost: float
    skill: float | None
    output_mean: float
    examples: int
    is_trained: bool
    initialization: str | None
    layers: list[LayerSummary]


@dataclass(frozen=True)
class Suggestion:
    """A setting to try: a key of the configuration and its value."""

    key: str
    value: float | str

    @property
    def text(self) -> str:
        """The setting as one types it: training.learning_rate=3."""
        return f"{self.key}={self.value if isinstance(self.value, str) else _rate(self.value)}"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its kind, the layer where it is worst, a sentence, and the sentence's numbers."""

    kind: Kind
    layer: int
    text: str
    numbers: dict[str, float]
    suggestion: Suggestion | None


def facts_of(
    inspection: Inspection, learning_rate: float, *, is_trained: bool = True, initialization: str | None = None
) -> Facts:
    """The facts of a network over the examples of an inspection."""
    network = inspection.network
    a = inspection.passed.a[network.L]
    with np.errstate(over="ignore"):
        layers = inspection.layers(learning_rate)
    return Facts(
        activation=network.activation[1].name,
        output=network.activation[network.L].name,
        learning_rate=learning_rate,
        cost=float(inspection.C.mean()),
        skill=_skill(inspection),
        output_mean=float(a.mean()),
        examples=len(inspection.indices),
        is_trained=is_trained,
        initialization=initialization,
        layers=layers,
    )


def _skill(inspection: Inspection) -> float | None:
    """How much better the network is than guessing: 0 is no better, 1 is perfect. None if that is unknown.

    For classes, guessing is always to answer the most frequent class. For other targets, it is their average.
    """
    if len(inspection.indices) < MIN_EXAMPLES:
        return None
    if inspection.are_classes:
        guessing = np.bincount(inspection.labels).max() / len(inspection.indices)
        correct = (inspection.answers == inspection.labels).mean()
        return float((correct - guessing) / (1 - guessing)) if guessing < 1 else None
    y, a = inspection.y, inspection.passed.a[inspection.network.L]
    spread = np.square(y - y.mean(axis=1, keepdims=True)).sum()
    return float(1 - np.square(a - y).sum() / spread) if spread else None


def diagnose(facts: Facts) -> list[Finding]:
    """What is wrong, at most one finding of each kind, causes before consequences. Empty for a healthy network."""
    findings = _symmetric(facts)
    works = facts.skill is not None and facts.skill >= WORKS
    if works:
        return findings
    if facts.skill is not None:
        findings += [*_saturated(facts), *_stuck(facts), *_dead(facts)]
    if not findings:
        findings += _changing_on_the_way_back(facts)
    if not findings and facts.skill is not None:
        findings += _steps(facts)
    return findings


def is_guessing(accuracy: float, examples: Examples) -> bool:
    """Whether an accuracy on these examples is no better than always answering their most frequent class.

    Two standard deviations more still count as guessing. False where few examples, or no classes, say nothing.
    """
    n = len(examples)
    if n < MIN_FOR_GUESSING or not np.isin(examples.targets, (0, 1)).all():
        return False
    guessing = float(np.bincount(examples.labels).max() / n)
    return guessing < 1 and accuracy <= guessing + 2 * math.sqrt(guessing * (1 - guessing) / n)


def _symmetric(facts: Facts) -> list[Finding]:
    layers = [s for s in facts.layers if s.is_symmetric]
    if not layers:
        return []
    s = layers[0]
    text = (
        f"All {s.neurons} neurons of layer {s.layer} have the same weights{_others(layers, 'likewise in')}. They get "
        "the same gradient and stay equal, so the layer acts like one neuron. "
        "Start from random weights: network.init=centred."
    )
    return [Finding("symmetric", s.layer, text, {"neurons": s.neurons}, Suggestion("network.init", "centred"))]


def _saturated(facts: Facts) -> list[Finding]:
    hidden = facts.layers[:-1]
    layers = [s for s in hidden if _bounded(facts, s) and s.saturated >= MOSTLY_SATURATED]
    if not layers:
        return []
    s = max(layers, key=lambda s: s.saturated)
    advice, suggestion = _too_large(facts)
    text = f"{_percent(s.saturated)} of layer {s.layer} is saturated (σ′ < 0.01){_others(layers, 'as are')}: {advice}"
    return [Finding("saturated", s.layer, text, {"saturated": s.saturated}, suggestion)]


def _stuck(facts: Facts) -> list[Finding]:
    s = facts.layers[-1]
    if not _bounded(facts, s) or s.saturated < MOSTLY_STUCK or s.dC_dz_rms >= NO_GRADIENT:
        return []
    at = "near 0" if 0 <= facts.output_mean < NEAR_ZERO else "at wrong values"
    advice, suggestion = _too_large(facts)
    text = (
        f"The outputs are stuck {at}: C = {_significant(facts.cost)}, and σ′ < 0.01 in {_percent(s.saturated)} of "
        f"layer {s.layer}, so hardly any gradient gets back: {advice}"
    )
    return [Finding("stuck", s.layer, text, {"cost": facts.cost, "saturated": s.saturated}, suggestion)]


def _dead(facts: Facts) -> list[Finding]:
    layers = [s for s in facts.layers if _activation(facts, s) == "relu" and s.dead >= MOSTLY_DEAD]
    if not layers or facts.examples < MIN_FOR_DEAD:
        return []
    s = max(layers, key=lambda s: s.dead)
    dead = math.floor(s.dead * s.neurons + 0.5)
    advice, suggestion = _too_large(facts)
    text = (
        f"{dead} of the {s.neurons} neurons of layer {s.layer} are dead{_others(layers, 'as in')}: σ′ = 0 for each of "
        f"{facts.examples} examples, so they learn nothing: {advice}"
    )
    return [Finding("dead", s.layer, text, {"dead": dead, "neurons": s.neurons}, suggestion)]


def _changing_on_the_way_back(facts: Facts) -> list[Finding]:
    """The size of ∂C/∂z in the first layer against the last one.

    The lengths decide, because a wide layer divides the same gradient among more neurons. The text tells the rms, which
    is what tables show.
    """
    first, last = facts.layers[0], facts.layers[-1]
    if first is last or not last.dC_dz_rms or last.is_symmetric or first.is_symmetric:
        return []
    rms = first.dC_dz_rms / last.dC_dz_rms
    length = rms * math.sqrt(first.neurons / last.neurons)
    where = f"rms ∂C/∂z changes ×{_significant(rms)} from layer {last.layer} to layer {first.layer}"
    is_centred = facts.initialization == "centred"
    suggestion = None if is_centred else Suggestion("network.init", "centred")
    if length <= VANISHING:
        reason = ", because each sigmoid layer multiplies it by σ′ ≤ 0.25" if facts.activation == "sigmoid" else ""
        advice = "Use fewer layers." if is_centred else "Try network.init=centred, or fewer layers."
        text = f"The gradient vanishes on its way back{reason}: {where}. The first layers hardly learn. {advice}"
        return [Finding("vanishing", first.layer, text, {"ratio": rms}, suggestion)]
    if length >= EXPLODING:
        advice = "Use fewer layers." if is_centred else "Try network.init=centred."
        text = f"The gradient explodes on its way back: {where}. The weights are too large. {advice}"
        return [Finding("exploding", first.layer, text, {"ratio": rms}, suggestion)]
    return []


def _steps(facts: Facts) -> list[Finding]:
    """The length of a plain step against the length of the weights, in the layer where it is largest."""
    known = [(s.step_ratio, s.layer) for s in facts.layers if s.step_ratio]
    if not known:
        return []
    ratio, layer = max(known, key=lambda pair: pair[0])
    eta, rate = facts.learning_rate, _rate(facts.learning_rate)
    if ratio > (LARGE_STEP if facts.is_trained else LARGE_FIRST_STEP):
        better = _smaller(eta)
        text = (
            f"A step with η = {rate} is {_significant(ratio)} times as long as the weights of layer {layer}: "
            f"η is probably too large; try {_rate(better)}."
        )
        suggestion = Suggestion("training.learning_rate", better)
        return [Finding("large_steps", layer, text, {"step_ratio": ratio}, suggestion)]
    if ratio < SMALL_STEP and eta < USUAL_RATES[0]:
        better = min(float(f"{eta * 10 ** math.floor(math.log10(GOOD_STEP / ratio) + 0.5):.3e}"), 1.0)
        text = (
            f"A step with η = {rate} is at most {_significant(ratio)} times as long as a layer's weights: "
            f"η is probably too small; try {_rate(better)}."
        )
        suggestion = Suggestion("training.learning_rate", better)
        return [Finding("small_steps", layer, text, {"step_ratio": ratio}, suggestion)]
    return []


def _too_large(facts: Facts) -> tuple[str, Suggestion]:
    """What made z too large, and what to try: another initialization, or a smaller η."""
    eta = facts.learning_rate
    began_large = facts.initialization == "standard_normal" and eta <= USUAL_RATES[1]
    if not facts.is_trained or began_large:
        return "the weights begin too large; try network.init=centred.", Suggestion("network.init", "centred")
    better = _smaller(eta)
    text = f"η = {_rate(eta)} is probably too large; try {_rate(better)}."
    return text, Suggestion("training.learning_rate", better)


def _smaller(eta: float) -> float:
    """A tenth of η, or less if that is still unusual."""
    return min(float(f"{eta / 10:.3e}"), USUAL_RATES[1])


def _activation(facts: Facts, layer: LayerSummary) -> str:
    return facts.output if layer is facts.layers[-1] else facts.activation


def _bounded(facts: Facts, layer: LayerSummary) -> bool:
    """Whether the layer's σ becomes flat on both sides."""
    return _activation(facts, layer) in ("sigmoid", "tanh")


def _others(layers: list[LayerSummary], words: str) -> str:
    count = len(layers) - 1
    return f", {words} {count} other {'layer' if count == 1 else 'layers'}" if count else ""


# Numbers as text. A tie is rounded up, and the exponent has no zeros, as in JavaScript.


def _percent(share: float) -> str:
    """99.8 %; 100 % only if it is all."""
    value = math.floor(1000 * share + 0.5) / 10
    value = 99.9 if value >= 100 and share < 1 else value
    return f"{value:.1f}".removesuffix(".0") + " %"


def _significant(value: float) -> str:
    """Two significant digits: 0.07, 4.3, 3.1e-7."""
    mantissa, power = f"{value * (1 + 1e-12):.1e}".split("e")
    return _plain(mantissa, power, digits=1)


def _rate(value: float) -> str:
    """A learning rate with up to four significant digits, as one types it: 3, 0.05, 1000000, 1e-5."""
    mantissa, power = f"{value * (1 + 1e-12):.3e}".split("e")
    return _plain(mantissa.rstrip("0").rstrip("."), power, digits=3)


def _plain(mantissa: str, power: str, digits: int) -> str:
    exponent = int(power)
    if not -4 <= exponent < 7:
        return f"{mantissa}e{exponent}"
    text = f"{float(f'{mantissa}e{exponent}'):.{max(0, digits - exponent)}f}"
    return text.rstrip("0").rstrip(".") if digits == 3 and "." in text else text
