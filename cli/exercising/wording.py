"""The words on a sheet that its Markdown, its page and its Moodle question share."""

from collections.abc import Iterator

from mnist_nn.exercises.formula import Formula, number
from mnist_nn.exercises.problem import DECIMALS, LEAST, RELATIVE
from mnist_nn.exercises.quantity import Expression
from mnist_nn.exercises.questions import Question
from mnist_nn.exercises.sheet import Sheet

ROUNDING = f"Use a calculator. Round every result to {DECIMALS} decimals, and go on with the rounded number."
ACCURACY = (
    "The solution is computed without rounding. Every derivative is confirmed by central differences. "
    f"An answer counts as right within ±{LEAST} or ±{RELATIVE:.1%}, whichever is more."
)


def title(sheet: Sheet) -> str:
    """Return the heading of a sheet."""
    return f"{sheet.level.title} – sheet {sheet.student}"


def origin(sheet: Sheet) -> str:
    """Return the command that makes this class's sheets again."""
    return f"nn exercise {sheet.level.name} --seed {sheet.seed}"


def definitions(sheet: Sheet) -> list[str]:
    """Return the definitions that a student needs. The chain rule is not among them."""
    C = "C = Σ (a − y)² over both outputs" if sheet.level.sizes[-1] > 1 else "C = (a − y)²"
    lines = ["z = w a + b", "a = σ(z) = 1 / (1 + e^(−z))", "σ′(z) = σ(z) (1 − σ(z))", C]
    if sheet.level.number == 1:
        lines.remove("σ′(z) = σ(z) (1 − σ(z))")
    if sheet.level.examples > 1:
        lines[-1] = "C_k = (a − y)² of example k"
        lines.append("C is the average of the C_k")
    if sheet.level.steps:
        lines += ["new w = w − η ∂C/∂w", "new b = b − η ∂C/∂b"]
    return lines


def given(sheet: Sheet) -> Iterator[tuple[str, list[Expression]]]:
    """Yield the given numbers in rows: what they belong to, and each symbol with its number."""
    network: dict[int, list[Expression]] = {}
    examples: dict[str, list[Expression]] = {}
    rate: list[Expression] = []
    for symbol, value in sheet.problem.numbers.items():
        written: Expression = [symbol, f" = {number(value)}"]
        if symbol.letter in "wb":
            network.setdefault(symbol.layer or 0, []).append(written)
        elif symbol.letter in "ay":
            examples.setdefault(symbol.scope, []).append(written)
        else:
            rate.append(written)
    for layer, numbers in network.items():
        yield f"layer {layer}", numbers
    for scope, numbers in examples.items():
        yield f"example {scope}".strip(), numbers
    if rate:
        yield "learning rate", rate


def solution_rows(sheet: Sheet, question: Question) -> list[list[Expression]]:
    """Return the right sides of a solution in rows: ratios, symbols, numbers. The last one is the answer.

    If the derivative has more factors, because one of these is an earlier answer, all factors follow in full.
    """
    values, formula = sheet.solution.values, question.formula
    names, symbols, numbers = formula.names(), formula.symbols(), formula.numbers(values)
    rows = [[names], [symbols], [numbers]] if names else [[symbols, numbers]]
    if names and len(formula.terms) > 1:
        rows.append([formula.products(values)])
    in_full = sheet.solution.in_full.get(question.key)
    if in_full is not None and factors(in_full) > factors(formula):
        rows += [[in_full.symbols()], [in_full.numbers(values)]]
    answer: Expression = [number(sheet.answer(question))]
    if rows[-1][-1] != answer:
        rows[-1].append(answer)
    return rows


def factors(formula: Formula) -> int:
    """Return the number of factors of a formula's terms together."""
    return sum(len(term.factors) for term in formula.terms)


def deepest_weight(sheet: Sheet) -> str:
    """Return the options with which `nn inspect-gradients` shows the first weight, and the whole chain above it."""
    L = len(sheet.level.sizes) - 1
    return "--weight 1,0,0" + (f" --depth {L}" if L > 1 else "")


def network_name(sheet: Sheet) -> str:
    """Return the network's sizes, such as 1-1-2."""
    return "-".join(map(str, sheet.level.sizes))
