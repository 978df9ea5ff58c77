"""`nn runs`: the table fits its terminal, JSON and CSV are whole, and mistakes get one line."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from filelock import FileLock
from run_maker import make_run

LONG_NAME = "a-run-with-a-name-as-long-as-that-20261125-010203-a1b2c3"


@pytest.fixture
def runs() -> Path:
    """Two learning rates with three and two seeds."""
    number = 0
    for rate, accuracies in ((0.5, (0.5, 0.75, 0.625)), (0.25, (0.875, 0.8125))):
        for seed, accuracy in enumerate(accuracies):
            number += 1
            config = {"seed": seed, "training": {"learning_rate": rate}}
            make_run(f"runs/{rate}-{seed}", config, accuracies=(accuracy,) * 3, number=number)
    return Path("runs")


def test_the_table_has_the_settings_that_differ(nn: Command, runs: Path) -> None:
    outcome = nn("runs")
    assert outcome.out.splitlines() == [
        "name    status    epochs  seed  learning_rate  accuracy   time",
        "0.5-0   finished       3     0           0.5     50.00%  4.5 s",
        "0.5-1   finished       3     1           0.5     75.00%  4.5 s",
        "0.5-2   finished       3     2           0.5     62.50%  4.5 s",
        "0.25-0  finished       3     0           0.25    87.50%  4.5 s",
        "0.25-1  finished       3     1           0.25    81.25%  4.5 s",
    ]
    assert (outcome.code, outcome.err) == (0, "")


def test_groups_show_mean_and_deviation(nn: Command, runs: Path) -> None:
    assert nn("runs", "--group").out.splitlines() == [
        "learning_rate  n     mean ± s.d.     min     max  epochs",
        "         0.25  2  84.38% ±  4.42  81.25%  87.50%       3",
        "         0.5   3  62.50% ± 12.50  50.00%  75.00%       3",
    ]


def test_a_group_of_one_run_has_no_deviation(nn: Command, runs: Path) -> None:
    out = nn("runs", "--group", "--where", "seed=2").out
    assert out.splitlines() == ["n  mean ± s.d.     min     max  epochs", "1       62.50%  62.50%  62.50%       3"]


def test_a_group_says_which_runs_are_not_finished(nn: Command, runs: Path) -> None:
    make_run("runs/x", {"seed": 9, "training": {"learning_rate": 0.5}}, accuracies=(), status="diverged")
    lines = nn("runs", "--group").out.splitlines()
    assert lines[1].endswith("     3  finished")
    assert lines[2].endswith("   0–3  3 finished, 1 diverged")


def test_groups_that_differ_in_the_examples_alone_show_them(nn: Command) -> None:
    make_run("runs/a", data={"sha256": "a" * 64}, accuracies=(0.75,))
    make_run("runs/b", data={"sha256": "b" * 64}, accuracies=(0.5,))
    assert [line.split()[0] for line in nn("runs", "--group").out.splitlines()] == ["data", "a" * 8, "b" * 8]


def test_runs_are_sorted_and_chosen(nn: Command, runs: Path) -> None:
    out = nn("runs", "--sort", "-accuracy", "--where", "seed=0", "--where", "status=finished").out
    assert [line.split()[0] for line in out.splitlines()] == ["name", "0.25-0", "0.5-0"]


def test_a_star_marks_accuracies_on_training_examples(nn: Command) -> None:
    make_run("runs/a", {"data": {"validation": 0}}, held_out=False)
    make_run("runs/b")
    outcome = nn("runs")
    assert outcome.out.splitlines()[1].split()[-3] == "50.00%*"
    assert outcome.out.splitlines()[2].endswith(" 50.00%   1.5 s")
    assert outcome.err == "* accuracy on the training examples, because none are held out\n"


def test_a_run_being_trained_shows_its_epochs(nn: Command) -> None:
    path = make_run("runs/a", accuracies=(0.5, 0.75), status="running")
    with FileLock(path / ".lock"):
        assert nn("runs").out.splitlines()[1] == "a     running       2    75.00%  3.0 s"
    assert nn("runs").out.splitlines()[1] == "a     stopped       2    75.00%  3.0 s"


def test_runs_of_several_directories_are_listed_once(nn: Command, runs: Path) -> None:
    make_run("other/x")
    out = nn("runs", "other", "runs", "runs/0.5-1", "other/x/").out
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["x", "0.5-0", "0.5-1", "0.5-2", "0.25-0", "0.25-1"]


def test_runs_of_the_same_name_show_their_paths(nn: Command) -> None:
    make_run("one/x")
    make_run("two/x")
    assert [line.split()[0] for line in nn("runs", "one", "two").out.splitlines()[1:]] == ["one/x", "two/x"]


# Widths


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("group", [[], ["--group"]])
def test_the_table_fits_the_terminal(
    width: int, group: list[str], nn: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = {"network": {"sizes": [4, *[100] * 50, 2]}, "cost": "cross_entropy", "training": {"momentum": 0.5}}
    make_run(f"runs/{LONG_NAME}", deep, number=9, status="interrupted")
    monkeypatch.setenv("COLUMNS", str(width))
    outcome = nn("runs", *group)
    assert max(map(len, outcome.out.splitlines())) <= width
    whole = "name" if not group else "mean ± s.d."
    assert whole in outcome.out
    if width == 60:
        assert outcome.err.startswith("too narrow for ")
        assert outcome.err.endswith("; --csv has all columns, and so has a wider terminal or a pipe\n")


def test_long_names_are_shortened_in_the_middle(nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(f"runs/{LONG_NAME}")
    monkeypatch.setenv("COLUMNS", "60")
    assert nn("runs").out.splitlines()[1] == "a-run-with-a…10203-a1b2c3  finished       1    50.00%  1.5 s"


def test_the_first_settings_stay_longer_than_the_time(nn: Command, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(f"runs/{LONG_NAME}", {"training": {"momentum": 0.5}})
    monkeypatch.setenv("COLUMNS", "60")
    outcome = nn("runs")
    assert outcome.out.split("\n")[0].split() == ["name", "status", "seed", "learning_rate", "accuracy"]
    assert outcome.err.startswith("too narrow for epochs, momentum, time; --csv has all")


def test_a_pipe_gets_every_column_whole(nn: Command) -> None:
    sizes = [4, *[100] * 300, 2]
    make_run(f"runs/{LONG_NAME}", {"network": {"sizes": sizes}})
    make_run("runs/b")
    out = nn("runs").out
    assert LONG_NAME in out
    assert "-".join(map(str, sizes)) in out


def test_inline_examples_are_a_few_characters(nn: Command) -> None:
    for name, value in (("a", 0.5), ("b", 0.25)):
        rows = [[value] * 4] * 500
        data = {"source": "inline", "inputs": rows, "targets": [[0.0, 1.0]] * 500}
        make_run(f"runs/{name}", {"data": data}, held_out=False)
    header, a, b = nn("runs").out.splitlines()
    assert header.split() == ["name", "status", "epochs", "inputs", "accuracy", "time"]
    assert "500×4 #" in a
    assert a.split()[4] != b.split()[4]
    document = json.loads(nn("runs", "--json").out)
    assert document["runs"][1]["settings"]["data.inputs"] == [[0.25] * 4] * 500
    rows = list(csv.DictReader(io.StringIO(nn("runs", "--csv").out)))
    assert json.loads(rows[1]["data.inputs"]) == [[0.25] * 4] * 500


def test_statuses_are_coloured_on_a_terminal_only(nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from nn_cli import run_table
    from nn_cli.terminal import Terminal

    path = make_run("runs/a", status="diverged")
    assert "\x1b" not in nn("runs").out
    monkeypatch.setattr(Terminal, "from_stdout", classmethod(lambda cls: cls(colour=True)))
    monkeypatch.setattr(run_table.click, "echo", print)  # click removes colours where there is no terminal
    assert "\x1b[91mdiverged\x1b[0m" in nn("runs").out
    assert path.exists()


# JSON and CSV

RUN_FIELDS = [
    "name", "path", "recipe", "number", "started", "status", "epochs", "seconds", "best_epoch", "accuracy",
    "accuracy_on", "settings", "damage", "test_accuracy", "tested",
]  # fmt: skip


def test_the_json_has_exactly_the_documented_fields(nn: Command, runs: Path) -> None:
    document = json.loads(nn("runs", "--json", "--sort", "-accuracy").out)
    assert list(document) == ["differing", "runs"]
    assert document["differing"] == ["seed", "training.learning_rate"]
    best = document["runs"][0]
    assert list(best) == RUN_FIELDS
    assert (best["path"], best["accuracy"], best["accuracy_on"]) == ("runs/0.25-0", 0.875, "validation")
    assert (best["epochs"], best["seconds"], best["best_epoch"], best["damage"]) == (3, 4.5, 1, None)
    assert best["settings"]["network.sizes"] == [4, 3, 2]


def test_the_json_of_groups_has_exactly_the_documented_fields(nn: Command, runs: Path) -> None:
    document = json.loads(nn("runs", "--json", "--group").out)
    assert list(document) == ["differing", "groups"]
    assert document["differing"] == ["training.learning_rate"]
    group = document["groups"][1]
    assert list(group) == [
        "n", "status", "epochs", "accuracy_on", "accuracy", "settings", "data", "runs", "test_accuracy",
    ]  # fmt: skip
    assert group["accuracy"] == {"n": 3, "mean": 0.625, "deviation": 0.125, "min": 0.5, "max": 0.75}
    assert (group["n"], group["status"], group["epochs"]) == (3, {"finished": 3}, {"min": 3, "max": 3})
    assert group["runs"][1] == {"path": "runs/0.5-1", "seed": 1, "accuracy": 0.75, "test_accuracy": None}
    assert group["test_accuracy"] == {"n": 0, "mean": None, "deviation": None, "min": None, "max": None}


def test_the_csv_has_the_fields_of_the_json(nn: Command, runs: Path) -> None:
    first, *_ = rows = list(csv.DictReader(io.StringIO(nn("runs", "--csv").out)))
    assert len(rows) == 5
    assert [name for name in RUN_FIELDS if name != "settings"] + ["seed", "training.learning_rate"] == list(first)
    assert (first["name"], first["accuracy"], first["training.learning_rate"]) == ("0.5-0", "0.5", "0.5")
    group = next(csv.DictReader(io.StringIO(nn("runs", "--csv", "--group", "--where", "seed=0").out)))
    assert (group["n"], group["accuracy_mean"], group["accuracy_deviation"]) == ("1", "0.875", "")


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"], ["--group"]])
def test_conditions_that_no_run_meets_leave_nothing(form: list[str], nn: Command, runs: Path) -> None:
    outcome = nn("runs", *form, "--where", "momentum=0.5")
    assert (outcome.code, outcome.err) == (0, "--where: none of 5 runs is like this\n")
    if form == ["--json"]:
        assert json.loads(outcome.out) == {"differing": [], "runs": []}
    else:
        assert len(outcome.out.splitlines()) == (form == ["--csv"])


# Damage and mistakes


def test_a_damaged_run_is_a_row_with_its_reason(nn: Command, runs: Path) -> None:
    (runs / "0.5-1/run.json").write_text("{")
    outcome = nn("runs")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1].split() == ["0.5-1", "damaged", "–", "–", "–", "–", "–"]
    assert outcome.err.startswith("damaged: runs/0.5-1/run.json: does not describe a run: Invalid JSON")
    assert json.loads(nn("runs", "--json").out)["runs"][-1]["damage"].startswith("runs/0.5-1/run.json: does not")
    assert nn("runs", "--group").err.endswith("\n1 damaged run left out\n")


def test_many_damaged_runs_are_counted(nn: Command) -> None:
    for i in range(7):
        (make_run(f"runs/{i}") / "metrics.csv").unlink()
    lines = nn("runs").err.splitlines()
    assert lines[0] == "damaged: runs/0/metrics.csv: is damaged, or cannot be read: No such file or directory"
    assert lines[5:] == ["and 2 more are damaged; `nn runs --json` has the reason for each"]


def test_hostile_names_cannot_colour_the_terminal(nn: Command) -> None:
    make_run("runs/\x1b[31mred\nline", data={"sha256": "\x1b[35m"})
    make_run("runs/plain", {"seed": 1})
    (make_run("runs/\x1b[32mgreen", recipe="\x1b[33m") / "metrics.csv").write_text("\x1b[34m")
    for form in ([], ["--json"], ["--csv"], ["--group"]):
        outcome = nn("runs", *form)
        assert outcome.code == 0
        assert "\x1b" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    "make", [Path.mkdir, lambda path: path.symlink_to(path), lambda path: path.symlink_to("/dev/zero")]
)
def test_a_run_json_that_is_no_file_is_damaged(make: Any, nn: Command, runs: Path) -> None:
    (runs / "0.5-1/run.json").unlink()
    make(runs / "0.5-1/run.json")
    assert nn("runs").out.splitlines()[-1].split()[:2] == ["0.5-1", "damaged"]


BAD = [
    (["--sort", "lr"], 2, "Error: --sort lr: unknown key; did you mean learning_rate?"),
    (["--sort", "-acuracy"], 2, "Error: --sort -acuracy: unknown key; did you mean accuracy?"),
    (["--where", "seed"], 2, "Error: --where seed: needs the form KEY=VALUE, such as status=finished"),
    (["--where", "=1"], 2, "Error: --where =1: needs the form KEY=VALUE, such as status=finished"),
    (["--where", "sed=1"], 2, "Error: --where sed=1: unknown key; did you mean seed?"),
    (
        ["--where", "data.dir=x"],
        2,
        "Error: --where data.dir=x: data.dir is not compared, because each machine may have its own",
    ),
    (
        ["--where", "seed=["],
        2,
        "Error: --where seed=[: not valid YAML: expected the node content, but found '<stream end>'",
    ),
    (
        ["--where", "status=finishd"],
        2,
        "Error: --where status=finishd: must be running, stopped, interrupted, finished, diverged, damaged; did you mean finished?",
    ),
    (["--json", "--csv"], 2, "Error: --json and --csv exclude each other; leave one out (see `nn runs --help`)"),
    (
        ["--group", "--sort", "seed"],
        2,
        "Error: --group sorts by mean accuracy; leave --sort out (see `nn runs --help`)",
    ),
    (
        ["nowhere"],
        1,
        "Error: nowhere: there is no such directory; make a run with `nn train quickstart`, or name a directory that holds runs",
    ),
    (
        ["runs/0.5-0/config.yaml"],
        1,
        "Error: runs/0.5-0/config.yaml: there is no such directory; make a run with `nn train quickstart`, or name a directory that holds runs",
    ),
    (
        ["runs/0.5-0/checkpoints"],
        1,
        "Error: runs/0.5-0/checkpoints: there are no runs here yet; make one with `nn train quickstart`, or name a run directory",
    ),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_a_mistake_gets_a_one_line_error(
    arguments: list[str], code: int, expected: str, nn: Command, runs: Path
) -> None:
    outcome = nn("runs", *arguments)
    assert (outcome.error, outcome.code, outcome.out) == (expected, code, "")


def test_without_any_run_the_error_suggests_nn_train(nn: Command) -> None:
    outcome = nn("runs")
    assert outcome.code == 1
    assert (
        outcome.error
        == "Error: runs: there is no such directory; make a run with `nn train quickstart`, or name a directory that holds runs"
    )
