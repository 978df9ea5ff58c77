"""The levels along the chapter, and the questions of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .quantity import Names
from .questions import (
    Question,
    activation_of_layer,
    averages,
    factors_of_layer,
    forwards,
    parameters_of_layer,
    steps,
)

LevelName = Literal["forward", "derivatives", "chain", "paths", "average", "step"]
FORWARDS, BACKWARDS = "Forwards", "Backwards"


@dataclass(frozen=True)
class Level:
    """A level: its number and name, the network of its sheets, and its questions in the order of work."""

    number: int
    name: LevelName
    title: str
    task: str
    sizes: tuple[int, ...]
    questions: tuple[Question, ...]
    examples: int = 1
    steps: bool = False


def _forward(sizes: tuple[int, ...]) -> list[Question]:
    return list(forwards(Names(sizes), FORWARDS))


def _derivatives(sizes: tuple[int, ...]) -> list[Question]:
    names = Names(sizes)
    return [
        *forwards(names, FORWARDS),
        *factors_of_layer(names, 1, "The three factors"),
        *parameters_of_layer(names, 1, "Three derivatives of C"),
        *activation_of_layer(names, 0, "Three derivatives of C"),
    ]


def _backwards(sizes: tuple[int, ...]) -> list[Question]:
    names, L = Names(sizes), len(sizes) - 1
    questions = [*forwards(names, FORWARDS), *parameters_of_layer(names, L, f"{BACKWARDS}, layer {L}")]
    for l in range(L - 1, 0, -1):
        part = f"{BACKWARDS}, layer {l}"
        questions += [*activation_of_layer(names, l, part), *parameters_of_layer(names, l, part)]
    return questions


def _average(sizes: tuple[int, ...]) -> list[Question]:
    each = [Names(sizes, str(e)) for e in range(2)]
    questions: list[Question] = []
    for e, names in enumerate(each):
        questions += [*forwards(names, f"Example {e}"), *parameters_of_layer(names, 1, f"Example {e}")]
    return [*questions, *averages(each, [each[0].w(1, 0, 0), each[0].b(1, 0)], "The average over both examples")]


def _step(sizes: tuple[int, ...]) -> list[Question]:
    names, new = Names(sizes), Names(sizes, "new")
    return [
        *forwards(names, FORWARDS),
        *parameters_of_layer(names, 1, BACKWARDS),
        *steps(names, 1, "One step downhill"),
        *forwards(new, "After the step, with the new w and b"),
    ]


def _level(
    number: int,
    name: LevelName,
    sizes: tuple[int, ...],
    questions: Callable[[tuple[int, ...]], list[Question]],
    title: str,
    task: str,
    examples: int = 1,
    steps: bool = False,
) -> Level:
    return Level(number, name, title, task, sizes, tuple(questions(sizes)), examples, steps)


LEVELS = (
    _level(
        1, "forward", (1, 1), _forward, "The forward pass",
        "Compute the weighted sum z, the activation a and the cost C.",
    ),
    _level(
        2, "derivatives", (1, 1), _derivatives, "Three derivatives of one neuron",
        "Compute the three factors of the chain rule. Then multiply them to the derivatives of C.",
    ),
    _level(
        3, "chain", (1, 1, 1, 1), _backwards, "The chain 1-1-1-1",
        "Go forwards to the cost, then backwards to all six entries of ∇C.",
    ),
    _level(
        4, "paths", (1, 1, 2), _backwards, "The sum over paths",
        "The neuron of layer 1 influences the cost along two paths. Go forwards, then backwards, and add up the paths.",
    ),
    _level(
        5, "average", (1, 1), _average, "Two examples: the average",
        "Compute the derivatives of each example alone. The gradient is their average.", examples=2,
    ),
    _level(
        6, "step", (1, 1), _step, "One step downhill",
        "Compute the gradient, take one step downhill with the learning rate η, and see whether the cost has fallen.",
        steps=True,
    ),
)  # fmt: skip
