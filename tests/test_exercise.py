"""`nn exercise`: sheets whose solutions agree with `nn inspect-gradients` and with differences, and their marking.

The environment variable NN_LONG=1 compares 1,000 sheets of each level instead of 20.
"""

import csv
import io
import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import Command
from nn_cli.exercising.configuration_file import as_configuration
from nn_cli.exercising.files import all_files
from nn_cli.exercising.page import as_page, sheet_article

from mnist_nn.exercises import solution
from mnist_nn.exercises.levels import LEVELS, Level
from mnist_nn.exercises.marking import mark
from mnist_nn.exercises.problem import DECIMALS, FLATTEST, SMALLEST, evaluate, tolerance
from mnist_nn.exercises.sheet import Sheet, make_sheets

SHEETS = 1000 if os.environ.get("NN_LONG") else 20
BY_NAME = {level.name: level for level in LEVELS}
every_level = pytest.mark.parametrize("level", LEVELS, ids=[level.name for level in LEVELS])


@cache
def sheets_of(level: Level, seed: int, students: int) -> list[Sheet]:
    return list(make_sheets(level, seed, students))


def first_sheet(name: str, seed: int = 0) -> Sheet:
    (sheet,) = make_sheets(BY_NAME[name], seed, 1)  # type: ignore[index]
    return sheet


def right_answers(sheet: Sheet) -> dict[str, float]:
    return {question.key: sheet.answer(question) for question in sheet.level.questions}


def verdicts(sheet: Sheet, answers: dict[str, float]) -> dict[str, tuple[str, str]]:
    return {one.question.key: (one.verdict, one.reason) for one in mark(sheet, answers)}


# Sheets


@every_level
def test_the_same_arguments_give_the_same_bytes(level: Level) -> None:
    assert all_files(list(make_sheets(level, 3, 2))) == all_files(list(make_sheets(level, 3, 2)))


def test_a_larger_class_begins_with_the_same_sheets() -> None:
    few, many = (list(make_sheets(LEVELS[0], 1, n)) for n in (3, 40))
    assert [sheet.problem for sheet in many[:3]] == [sheet.problem for sheet in few]


@every_level
def test_every_student_and_seed_has_other_numbers(level: Level) -> None:
    given = [tuple(sheet.problem.given.values()) for seed in (0, 1) for sheet in sheets_of(level, seed, 40)]
    assert len(set(given[:40])) == len(set(given[40:])) == 40
    assert given[:40] != given[40:]


@every_level
def test_given_numbers_have_at_most_two_digits(level: Level) -> None:
    for sheet in sheets_of(level, 0, 40):
        for value in sheet.problem.given.values():
            assert len(f"{abs(value):g}".replace(".", "").lstrip("0")) <= 2, value


@every_level
def test_no_answer_is_degenerate(level: Level) -> None:
    for sheet in sheets_of(level, 0, 40):
        for question in level.questions:
            assert abs(sheet.answer(question)) >= SMALLEST, question.key
            if re.fullmatch(r"(ex\d_|new_)?a\d(_\d)?", question.key):
                a = sheet.answer(question)
                assert a * (1 - a) >= FLATTEST, question.key


@every_level
def test_a_step_on_any_sheet_lowers_the_cost(level: Level) -> None:
    for sheet in sheets_of(level, 0, 40):
        if level.steps:
            assert sheet.solution.values["new_C"] < sheet.solution.values["C"]


# Solutions


def inspected(nn: Command, file: Path, *options: str) -> dict:  # type: ignore[type-arg]
    outcome = nn("inspect-gradients", file, "--init", "--json", *options)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)  # type: ignore[no-any-return]


def named(letter: str, layer: int, j: int, k: int | None, sizes: list[int]) -> str:
    """The key of w, b, or a, as the sheet names it."""
    several = sizes[layer] > 1 or (k is not None and sizes[layer - 1] > 1)
    indices = "" if not several else f"_{j}" if k is None else f"_{j}{k}"
    return f"{letter}{layer}{indices}"


@every_level
def test_solutions_equal_inspect_gradients(level: Level, nn: Command, tmp_path: Path) -> None:
    """Every factor and entry of ∇C, every sum over paths, C, and their averages, at full precision."""
    file = tmp_path / "sheet.yaml"
    for sheet in sheets_of(level, 11, SHEETS):
        values, sizes = sheet.solution.values, list(level.sizes)
        file.write_text(as_configuration(sheet))
        document = inspected(nn, file, "--weight", "1,0,0")
        assert document["sizes"] == sizes
        assert document["cost"] == values["C"]
        for example, scope in enumerate(sheet.problem.scopes):
            C = f"C_{scope}" if scope else "C"
            if example:
                document = inspected(nn, file, "--weight", "1,0,0", "--example", str(example))
            for entry in document["gradient"]:
                letter = "b" if entry["k"] is None else "w"
                key = f"d{C}_d{named(letter, entry['layer'], entry['j'], entry['k'], sizes)}"
                assert entry["product"] == values[key], key
                factors = [f.value(values) for t in sheet.solution.in_full[key].terms for f in t.factors]
                assert factors == pytest.approx([factor["value"] for factor in entry["factors"]], rel=1e-14), key
            for paths in document["route"]:
                key = f"d{C}_d{named('a', paths['layer'], paths['neuron'], None, sizes)}"
                assert paths["sum"] == pytest.approx(values[key], rel=1e-14), key
            weight = document["weight"]
            before = f"ex{scope}_" if scope else ""
            assert weight["z"] == values[f"{before}z1"]
            assert weight["a"] == values[f"{before}a1"]
        if level.examples > 1:
            document = inspected(nn, file, "--weight", "1,0,0")
            assert document["weight"]["mean_dC_dw"] == values["dC_dw1"]
            assert document["weight"]["per_example"] == [values["dC_0_dw1"], values["dC_1_dw1"]]
        if level.steps:
            new = {f"[[{sheet.problem.w[1][0][0]}]]": f"[[{values['new_w1']!r}]]"}
            new |= {f"b: {{1: [{sheet.problem.b[1][0]}]}}": f"b: {{1: [{values['new_b1']!r}]}}"}
            text = file.read_text()
            for old, other in new.items():
                assert old in text
                text = text.replace(old, other)
            file.write_text(text)
            assert inspected(nn, file)["cost"] == values["new_C"]


def cost_by_hand(sheet: Sheet, changed: str, change: float) -> float:
    """C of a sheet in plain arithmetic, if one given w or b is changed. Independent of the package."""
    problem, sizes = sheet.problem, sheet.problem.sizes
    costs = []
    for x, y in zip(problem.inputs, problem.targets, strict=True):
        a = x
        for l in range(1, len(sizes)):
            z = []
            for j in range(sizes[l]):
                w = [
                    value + change * (changed == named("w", l, j, k, list(sizes)))
                    for k, value in enumerate(problem.w[l][j])
                ]
                b = problem.b[l][j] + change * (changed == named("b", l, j, None, list(sizes)))
                z.append(sum(w_k * a_k for w_k, a_k in zip(w, a, strict=True)) + b)
            a = [1 / (1 + math.exp(-z_j)) for z_j in z]
        costs.append(sum((a_j - y_j) ** 2 for a_j, y_j in zip(a, y, strict=True)))
    return sum(costs) / len(costs)


@every_level
def test_solutions_equal_central_differences(level: Level) -> None:
    h = 1e-5
    for sheet in sheets_of(level, 11, SHEETS):
        assert math.isclose(sheet.solution.values["C"], cost_by_hand(sheet, "", 0), rel_tol=1e-12)
        for question in level.questions:
            if found := re.fullmatch(r"dC_d([wb].*)", question.key):
                up, down = (cost_by_hand(sheet, found[1], step) for step in (h, -h))
                assert math.isclose(sheet.answer(question), (up - down) / (2 * h), rel_tol=1e-6), question.key


@every_level
def test_every_answer_equals_its_formula(level: Level) -> None:
    for sheet in sheets_of(level, 11, SHEETS):
        computed = evaluate(level.questions, sheet.problem.given)
        for key, answer in right_answers(sheet).items():
            assert math.isclose(answer, computed[key], rel_tol=1e-12), key


@pytest.mark.parametrize("factor", [1.001, 0.999, -1])
def test_a_solution_off_by_a_thousandth_is_never_written(
    factor: float, nn: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = solution.central_difference
    monkeypatch.setattr(solution, "central_difference", lambda *a: factor * true(*a))
    outcome = nn("exercise", "chain", "--out", tmp_path / "out")
    assert outcome.code == 1
    assert re.match(r"Error: ∂C/∂w\(3\): the solution is \S+, but a central difference gives ", outcome.error)
    assert not list(tmp_path.iterdir())


def test_the_chain_is_written_with_all_its_factors(nn: Command) -> None:
    text = nn("exercise", "chain", "--solution").out
    assert "= ∂z(1)/∂w(1) · ∂a(1)/∂z(1) · ∂C/∂a(1)\n" in text
    assert "= a(0) · σ′(z(1)) · w(2) · σ′(z(2)) · w(3) · σ′(z(3)) · 2(a(3) − y)\n" in text


def test_training_a_sheet_for_an_epoch_takes_its_step(nn: Command, tmp_path: Path) -> None:
    sheet = first_sheet("step")
    file = tmp_path / "step.yaml"
    file.write_text(as_configuration(sheet))
    assert nn("train", file, "--quiet", "--run-dir", "run").code == 0
    row = next(csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines()))
    assert float(row["train_cost"]) == pytest.approx(sheet.solution.values["new_C"], rel=1e-12)


# Marking


@every_level
def test_right_answers_are_marked_right(level: Level) -> None:
    """Also if a student rounds every result to four decimals and goes on with it."""
    for sheet in sheets_of(level, 0, 40)[:20]:
        rounded = evaluate(level.questions, sheet.problem.given, DECIMALS)
        for answers in (right_answers(sheet), {key: rounded[key] for key in right_answers(sheet)}):
            assert {verdict for verdict, _ in verdicts(sheet, answers).values()} == {"right"}


@every_level
def test_every_slip_is_recognised_by_its_reason(level: Level) -> None:
    for sheet in sheets_of(level, 0, 40)[:5]:
        for question in level.questions:
            for slip in question.formula.slips:
                wrong = round(slip.formula.value(sheet.solution.values), DECIMALS)
                marks = verdicts(sheet, {**right_answers(sheet), question.key: wrong})
                assert marks[question.key] == ("wrong", slip.reason)


@pytest.mark.parametrize(
    ("level", "key", "mistake", "reason"),
    [
        ("derivatives", "dC_dw1", lambda v: v["a0"] * v["dC_da1"], "σ′(z(1)) was dropped"),
        ("derivatives", "dC_dw1", lambda v: v["dC_dw1"] / 2, "the 2 of 2(a(1) − y) was dropped"),
        ("derivatives", "dC_db1", lambda v: -v["dC_db1"], "the sign of a(1) − y was turned"),
        ("derivatives", "dC_dw1", lambda v: v["a1"] * v["dC_db1"], "a(1) was used in place of a(0)"),
        ("derivatives", "dC_db1", lambda v: v["dC_dw1"], "a(0) was multiplied in, but ∂z(1)/∂b(1) is 1"),
        ("forward", "a1", lambda v: 1 - v["a1"], "the sign in e^(−z) was turned"),
        ("chain", "dC_da1", lambda v: v["dC_da1"] / v["w2"] * v["w3"], "w(3) was used in place of w(2)"),
        ("paths", "dC_da1", lambda v: v["w2_00"] * v["dC_db2_0"], "the path through neuron 1 of layer 2 was left out"),
        (
            "paths",
            "dC_da1",
            lambda v: v["w2_10"] * v["dC_db2_0"] + v["w2_00"] * v["dC_db2_1"],
            "the weight of another path was used, in every term",
        ),
        ("average", "dC_dw1", lambda v: 2 * v["dC_dw1"], "the sum was not divided by 2, the number of examples"),
        ("average", "dC_dw1", lambda v: v["dC_1_dw1"], "only example 1 was taken"),
        ("step", "new_w1", lambda v: v["w1"] - v["dC_dw1"], "η was dropped"),
        ("step", "new_w1", lambda v: v["w1"] + v["eta"] * v["dC_dw1"], "the step went uphill: + in place of −"),
        ("step", "new_z1", lambda v: v["w1"] * v["a0"] + v["new_b1"], "the old w was used"),
    ],
)
def test_typical_mistakes_are_named(
    level: str, key: str, mistake: Callable[[dict[str, float]], float], reason: str
) -> None:
    sheet = first_sheet(level)
    marks = verdicts(sheet, {**right_answers(sheet), key: mistake(sheet.solution.values)})
    assert marks[key] == ("wrong", reason)


def test_an_answer_that_follows_from_an_earlier_mistake_says_so() -> None:
    sheet = first_sheet("chain")
    answers = right_answers(sheet) | {"z1": 0.5}
    answers["a1"] = 1 / (1 + math.exp(-0.5))
    marks = verdicts(sheet, answers)
    assert marks["z1"] == ("wrong", "")
    assert marks["a1"] == ("follows", "follows from your z(1)")
    assert marks["a2"] == ("right", "")


def test_a_slip_on_top_of_an_earlier_mistake_is_named() -> None:
    sheet = first_sheet("derivatives")
    answers = right_answers(sheet) | {"da1_dz1": 0.7}
    answers["dC_dw1"] = sheet.problem.inputs[0][0] * 0.7 * sheet.solution.values["dC_da1"] / 2
    reason = "the 2 of 2(a(1) − y) was dropped; the rest follows from your ∂a(1)/∂z(1)"
    assert verdicts(sheet, answers)["dC_dw1"] == ("wrong", reason)


def test_a_slip_in_a_blank_is_found_behind_it() -> None:
    sheet = first_sheet("chain")
    answers = right_answers(sheet)
    wrong = answers.pop("dC_da2") / sheet.solution.values["da3_dz3"]
    answers["dC_db2"] = sheet.solution.values["da2_dz2"] * wrong
    marks = verdicts(sheet, answers)
    assert marks["dC_da2"] == ("blank", "")
    assert marks["dC_db2"] == ("wrong", "σ′(z(3)) was dropped, in ∂C/∂a(2)")


@every_level
@pytest.mark.parametrize("absurd", [0.0, 1e12, -1e12, 1e-99])
def test_absurd_answers_are_wrong_and_no_error(level: Level, absurd: float) -> None:
    sheet = first_sheet(level.name)
    marks = verdicts(sheet, dict.fromkeys(right_answers(sheet), absurd))
    assert marks[level.questions[0].key] == ("wrong", "")


# The command


@every_level
def test_levels_have_names_and_numbers(level: Level, nn: Command) -> None:
    assert nn("exercise", level.name).out == nn("exercise", level.number).out
    assert f"{level.number} {level.name} " in nn("exercise", "--help").out


def test_the_sheet_on_stdout_shows_no_answer(nn: Command) -> None:
    sheet, answers = nn("exercise", "chain").out, first_sheet("chain")
    for answer in right_answers(answers).values():
        assert f"{abs(answer):.4f}" not in sheet


def class_files(nn: Command, level: str, students: int = 2) -> Path:
    assert nn("exercise", level, "--seed", 7, "--students", students, "--out", "class").code == 0
    return Path("class")


@every_level
def test_a_class_has_sheets_and_solutions_apart(level: Level, nn: Command) -> None:
    directory = class_files(nn, level.name)
    names = sorted(str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file())
    of_each = [
        *(f"sheets/sheet-0{n}.{kind}" for n in (1, 2) for kind in ("html", "md")),
        *(f"solutions/sheet-0{n}.yaml" for n in (1, 2)),
        *(f"solutions/solution-0{n}.{kind}" for n in (1, 2) for kind in ("html", "md")),
    ]
    assert names == sorted([*of_each, "answers.csv", "moodle.xml", "sheets.html", "solutions.html"])
    numbers = [f"{abs(a):.4f}" for sheet in make_sheets(level, 7, 2) for a in right_answers(sheet).values()]
    for file in (*directory.glob("sheets/*"), directory / "sheets.html", directory / "answers.csv"):
        text = file.read_text()
        assert not [number for number in numbers if number in text], file


def test_an_existing_directory_is_never_written_into(nn: Command, tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "thesis.txt").write_text("mine")
    outcome = nn("exercise", "--out", "class")
    assert outcome.code == 2
    assert outcome.error.startswith(
        "Error: --out class: already exists and is never overwritten; choose a new directory"
    )
    assert [file.name for file in (tmp_path / "class").iterdir()] == ["thesis.txt"]


def test_a_directory_that_cannot_be_written_is_one_line(nn: Command) -> None:
    outcome = nn("exercise", "--out", "nowhere/class")
    assert outcome.code == 1
    assert "--out nowhere/class: cannot be written" in outcome.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sums"], "'sums' is none of 1 forward, 2 derivatives, 3 chain, 4 paths, 5 average, 6 step"),
        (["--students", "0"], "0 is not in the range 1<=x<=1000"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["chain", "--check", "a.csv"], "--check and LEVEL cannot be used together"),
        (["--check", "a.csv", "--seed", "0"], "--check and --seed cannot be used together"),
        (["--out", "a", "--json"], "--out and --json cannot be used together"),
        (["--solution", "--json"], "--solution and --json cannot be used together"),
    ],
)
def test_wrong_usage_is_refused_in_one_line(arguments: list[str], message: str, nn: Command) -> None:
    outcome = nn("exercise", *arguments)
    assert outcome.code == 2
    assert message in outcome.error


def test_json_has_sheets_with_their_solutions(nn: Command) -> None:
    (first, second) = json.loads(nn("exercise", "step", "--students", 2, "--json").out)["sheets"]
    assert (first["student"], second["student"]) == (1, 2)
    sheet = first_sheet("step")
    assert {q["question"]: q["answer"] for q in first["questions"]} == right_answers(sheet)
    assert first["given"] == sheet.problem.given


def filled(directory: Path, answers: dict[str, float], write: Callable[[float], str] = lambda x: f"{x:.4f}") -> Path:
    """Fill in the first student's rows of answers.csv."""
    file = directory / "answers.csv"
    rows = list(csv.DictReader(file.read_text().splitlines()))
    for row in rows:
        if row["student"] == "1" and row["question"] in answers:
            row["answer"] = write(answers[row["question"]])
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(out.getvalue())
    return file


def test_a_filled_in_file_is_marked(nn: Command) -> None:
    directory, sheet = class_files(nn, "derivatives"), first_sheet("derivatives", 7)
    answers = right_answers(sheet)
    answers["dC_dw1"] /= sheet.solution.values["da1_dz1"]
    file = filled(directory, answers)
    text = nn("exercise", "--check", file).out
    assert re.search(r"dC_dw1 .*σ′\(z\(1\)\) was dropped", text)
    assert "2 sheets: 8 right, 0 right from an earlier wrong answer, 1 wrong, 9 blank" in text
    one, two = json.loads(nn("exercise", "--check", file, "--json").out)["sheets"]
    assert (one["right"], one["wrong"], one["first_wrong"], two["blank"]) == (8, 1, "dC_dw1", 9)
    assert one["answers"][6]["reason"] == "σ′(z(1)) was dropped"


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ";").replace(".", ","),
        lambda text: text.replace(",", "\t").replace("-", "−"),
        lambda text: text.replace("level,", "name,level,").replace("derivatives,", "Ada,derivatives,"),
        lambda text: text + "\n,,,,\n",
        lambda text: re.sub(r"(-?\d+\.\d+)", r'"\1"', text).replace("derivatives", "2"),
    ],
    ids=["CRLF", "byte order mark", "decimal comma", "tabs", "another column", "empty lines", "quotes and numbers"],
)
def test_files_of_common_spreadsheets_are_read(saved: Callable[[str], str], nn: Command) -> None:
    directory = class_files(nn, "derivatives", 1)
    file = filled(directory, right_answers(first_sheet("derivatives", 7)))
    file.write_bytes(saved(file.read_text()).encode())
    assert "1 sheet: 9 right, " in nn("exercise", "--check", file).out


HEADER = "level,seed,student,question,answer\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1 has no column level; it must name level, seed, student, question, answer"),
        ("level,seed,student,question\n", "line 1 has no column answer"),
        ("level,level,seed,student,question,answer\n", "line 1 has two columns level"),
        (HEADER, "has no answers below its first line"),
        (HEADER + "chain,0,1,z1\n", "line 2 has 4 cells, but line 1 has 5"),
        (HEADER + "chain,0,1,z1,0,5\n", "put a number with a decimal comma in quotes"),
        (HEADER + "sums,0,1,z1,1\n", "line 2: level 'sums' is none of forward, derivatives, "),
        (HEADER + "chain,x,1,z1,1\n", "line 2: seed 'x' must be a whole number from 0 to "),
        (HEADER + "chain,0,0,z1,1\n", "line 2: student '0' must be a whole number from 1 to 1000"),
        (HEADER + "chain,0,1001,z1,1\n", "line 2: student '1001' must be a whole number from 1 to 1000"),
        (HEADER + "chain,0,1,dC_dw_1,1\n", "line 2: level chain has no question 'dC_dw_1'; did you mean dC_dw1?"),
        (HEADER + "forward,0,1,???,1\n", "level forward has no question '???'; its questions are z1, a1, C"),
        (HEADER + "chain,0,1,z1,a half\n", "line 2: the answer 'a half' is not a number such as -0.0359"),
        (HEADER + "chain,0,1,z1,nan\n", "the answer 'nan' is not a number"),
        (HEADER + "chain,0,1,z1,1e999\n", "the answer '1e999' is not a number"),
        (HEADER + "chain,0,1,z1,1\n3,0,1,z1,\n", "line 3: question z1 of student 1 was answered before"),
        (HEADER + 'chain,0,1,z1,"1\n', "is not CSV: unexpected end of data"),
        (HEADER + "chain,0,1,z1,\x1b[31m\n", "the answer '\\x1b[31m' is not a number"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(content: str, message: str, nn: Command, tmp_path: Path) -> None:
    (tmp_path / "answers.csv").write_text(content)
    outcome = nn("exercise", "--check", "answers.csv")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: answers.csv: ")
    assert message in outcome.error


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"\xff\xfe1", "byte 0 is not UTF-8"), (b"x" * (16 << 20) + b"x", "larger than")],
)
def test_an_unreadable_file_is_one_line(content: bytes | None, message: str, nn: Command, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "answers.csv").write_bytes(content)
    outcome = nn("exercise", "--check", "answers.csv")
    assert outcome.code == 1
    assert message in outcome.error


# Pages


class Nesting(HTMLParser):
    """Checks that every element is closed in its turn, and collects their names."""

    VOID = frozenset({"meta", "br", "line", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            assert name not in ("src", "href"), value
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@every_level
def test_pages_are_well_formed_and_need_nothing_else(level: Level) -> None:
    files = all_files(list(make_sheets(level, 0, 2)))
    for name, content in files.items():
        if name.endswith(".html"):
            page = Nesting()
            page.feed(content)
            assert not page.open, name
            assert {"math", "svg", "h2"} <= page.names
            assert "script" not in page.names
            assert len(re.findall("<article>", content)) == (1 if "/" in name else 2)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the command chromium")
@pytest.mark.parametrize("paper", ["A4", "letter"])
def test_a_sheet_prints_on_one_page(paper: str, tmp_path: Path) -> None:
    page = as_page("all levels", [sheet_article(first_sheet(level.name)) for level in LEVELS])
    file, pdf = tmp_path / "sheets.html", tmp_path / "sheets.pdf"
    file.write_text(page.replace("@page {", f"@page {{ size: {paper};"))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command = ["chromium", *options, f"--print-to-pdf={pdf}", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert len(re.findall(rb"/Type /Page\b", pdf.read_bytes())) == len(LEVELS)


# Moodle: the rules of its documentation for Moodle XML and for embedded answers

ALTERNATIVE = re.compile(
    r"(?P<fraction>=|%-?\d+%)(?P<number>-?\d+(\.\d+)?):(?P<error>\d+(\.\d+)?)(#(?P<feedback>[^#~{}\\]*))?"
)
FIELD = re.compile(r"\{(?P<grade>\d+):NUMERICAL:(?P<alternatives>[^{}]*)\}")


def moodle_marks(field: re.Match[str], answer: float) -> tuple[int, str]:
    """The percentage and the feedback of the first alternative that holds the answer, as Moodle chooses it."""
    for text in field["alternatives"].split("~"):
        found = ALTERNATIVE.fullmatch(text)
        assert found, text
        if abs(answer - float(found["number"])) <= float(found["error"]):
            return 100 if found["fraction"] == "=" else int(found["fraction"].strip("%")), found["feedback"] or ""
    return 0, ""


@every_level
def test_moodle_questions_follow_moodles_rules(level: Level) -> None:
    sheets = list(make_sheets(level, 0, 3))
    text = all_files(sheets)["moodle.xml"]
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<quiz>')
    quiz = ElementTree.fromstring(text.encode())
    category, *questions = quiz.findall("question")
    assert len(quiz) == 1 + len(sheets) == 1 + len(questions)
    assert category.get("type") == "category"
    assert (category.findtext("category/text") or "").startswith("$course$/")
    assert len({question.findtext("name/text") for question in questions}) == len(sheets)
    for sheet, question in zip(sheets, questions, strict=True):
        assert question.get("type") == "cloze"
        assert [child.tag for child in question] == ["name", "questiontext", "generalfeedback", "penalty", "hidden"]
        body = question.find("questiontext")
        assert body is not None
        assert body.get("format") == "html"
        fields = list(FIELD.finditer(body.findtext("text") or ""))
        assert len(fields) == len(level.questions) == (body.findtext("text") or "").count("{")
        for field, asked in zip(fields, level.questions, strict=True):
            assert moodle_marks(field, round(sheet.answer(asked), DECIMALS)) == (100, "")
            for slip in asked.formula.slips:
                wrong = round(slip.formula.value(sheet.solution.values), DECIMALS)
                assert moodle_marks(field, wrong) == (0, slip.reason)


def test_the_tolerance_is_wide_enough_for_rounding() -> None:
    assert tolerance(0.01) == 0.0005
    assert tolerance(-2.0) == pytest.approx(0.01)
