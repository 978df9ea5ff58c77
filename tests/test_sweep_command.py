"""`nn sweep` with real processes: the table, the bits of `nn train`, and what is left after signals, kills and mistakes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, Outcome

from mnist_nn.sweeps.sweep_directory import SweepDirectory

NN = Path(sysconfig.get_path("scripts")) / "nn"
LIMIT = 60  # seconds for one command
RATE = "training.learning_rate"
PLAN = ("small.yaml", "--grid", f"{RATE}=0.001,0.5", "--seeds", "2", "--set", "training.epochs=60", "--jobs", "2")


def start(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
    """Start the command in a session of its own, as a terminal does."""
    return subprocess.Popen(
        [str(NN), "sweep", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | environment,
    )


def finish(process: "subprocess.Popen[str]") -> Outcome:
    """Wait for a command, and for every process that it started."""
    out, err = process.communicate(timeout=LIMIT)
    deadline = time.monotonic() + 10
    while left := list(workers(process.pid)):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)
    return Outcome(process.returncode, out, err)


def workers(session: int) -> Iterator[int]:
    """The processes that train in this session."""
    for entry in map(Path("/proc").joinpath, filter(str.isdecimal, os.listdir("/proc"))):  # noqa: PTH208
        try:
            state, _, _, its_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z" and b"spawn_main" in (entry / "cmdline").read_bytes():
                yield int(entry.name)
        except OSError:
            continue


def results(sweep: Path | str) -> dict[str, tuple[str, str, str]]:
    """Status, fingerprint and figures of each trial, by its name."""
    found = {}
    for file in Path(sweep).glob("[!.]*/run.json"):
        values = json.loads(file.read_text())
        rows = "\n".join(line.rpartition(",")[0] for line in (file.parent / "metrics.csv").read_text().splitlines())
        found[file.parent.name] = (values["status"], values.get("fingerprint", ""), rows)
    return found


def wait_until_training(process: "subprocess.Popen[str]", sweep: str) -> None:
    """Wait until a trial has completed epochs, long before all have."""
    deadline = time.monotonic() + LIMIT
    while not any(file.read_text().count("\n") > 4 for file in Path(sweep).glob("[!.]*/metrics.csv")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@dataclass
class Swept:
    """A finished sweep, and what the command printed."""

    directory: Path
    outcome: Outcome

    @property
    def results(self) -> dict[str, tuple[str, str, str]]:
        return results(self.directory / "sweeps/whole")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Swept:
    """The sweep that nothing disturbs: two learning rates with two seeds."""
    directory = tmp_path_factory.mktemp("swept")
    (directory / "small.yaml").write_text(
        f"data: {{source: idx, dir: {digits}, validation: 50}}\n"
        "network: {sizes: [784, 12, 10]}\n"
        "training: {batch_size: 4, momentum: 0.5, schedule: constant}\n"
    )
    done = subprocess.run(
        [str(NN), "sweep", *PLAN, "--name", "whole"],
        cwd=directory, capture_output=True, text=True, check=False, timeout=LIMIT,
    )  # fmt: skip
    return Swept(directory, Outcome(done.returncode, done.stdout, done.stderr))


@pytest.fixture
def here(swept: Swept) -> Swept:
    """The finished sweep, copied into this test's directory."""
    shutil.copytree(swept.directory, ".", dirs_exist_ok=True)
    return swept


# What a sweep prints and leaves


def test_a_sweep_trains_every_trial_and_compares_them(swept: Swept) -> None:
    outcome = swept.outcome
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["learning_rate", "n", "mean", "±", "s.d.", "min", "max", "epochs"]
    assert [line.split()[:2] for line in lines[1:3]] == [["0.5", "2"], ["0.001", "2"]]
    assert re.fullmatch(r"best    learning_rate 0\.5: \d\d\.\d\d ± \d+\.\d\d % \(n = 2\)", lines[4])
    assert re.fullmatch(r"second  learning_rate 0\.001: \d\d\.\d\d ± \d+\.\d\d % \(n = 2\)", lines[5])
    verdict = "more than chance usually brings|within the spread, so it may be chance"  # two seeds are few
    assert re.fullmatch(rf" {{8}}\d\d\.\d\d ± \d+\.\d\d points apart: ({verdict})", lines[6])
    assert lines[7:] == ["", "sweep   sweeps/whole", "next    nn evaluate sweeps/whole", "        nn plot sweeps/whole"]


def test_progress_names_each_trial_as_it_ends(swept: Swept) -> None:
    sweep, trials, *ended = swept.outcome.err.splitlines()
    assert sweep == "sweep    sweeps/whole"
    assert trials == "trials   4 trials: 2 settings × 2 seeds"
    assert [line.split()[0] for line in ended] == ["1/4", "2/4", "3/4", "4/4"]
    labels = {re.split(r"  +", line, maxsplit=3)[-1] for line in ended}
    assert labels == {f"learning_rate {rate}  seed {seed}" for rate in (0.001, 0.5) for seed in (0, 1)}


def test_a_trial_is_the_run_that_nn_train_makes_of_its_config(here: Swept, nn: Command) -> None:
    assert len(here.results) == 4
    for name, (status, fingerprint, _) in here.results.items():
        assert status == "finished"
        assert nn("train", f"sweeps/whole/{name}/config.yaml", "--run-dir", f"by-hand/{name}", "--quiet").code == 0
        assert json.loads(Path(f"by-hand/{name}/run.json").read_text())["fingerprint"] == fingerprint


def test_a_sweep_leaves_only_its_plan_and_runs(swept: Swept) -> None:
    names = {path.name for path in (swept.directory / "sweeps/whole").iterdir()}
    assert names == {"plan.yaml", ".lock", *swept.results}


def test_the_other_commands_read_a_sweep(here: Swept, nn: Command) -> None:
    document = json.loads(nn("runs", "sweeps/whole", "--json").out)
    assert document["differing"] == ["seed", RATE]
    assert [run["number"] for run in document["runs"]] == [1, 2, 3, 4]
    assert {run["name"] for run in document["runs"]} == set(here.results)
    assert nn("runs", "sweeps/whole", "--group").out.splitlines()[:3] == here.outcome.out.splitlines()[:3]
    evaluated = nn("evaluate", "sweeps/whole")
    assert evaluated.code == 0, evaluated.err


def test_one_thread_of_the_environment_changes_no_bit(here: Swept) -> None:
    """Otherwise a sweep would have other bits in a shell that sets it."""
    outcome = finish(start(*PLAN, "--name", "a", "--quiet", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"))
    assert (outcome.code, outcome.err) == (0, "")
    assert results("sweeps/a") == here.results


def test_a_finished_sweep_is_shown_again_and_not_trained(here: Swept, nn: Command) -> None:
    files = [file for file in Path("sweeps/whole").rglob("*") if file.is_file()]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files if file.name != ".lock"}
    outcome = nn("sweep", "--resume", "whole")
    assert (outcome.code, outcome.out) == (0, here.outcome.out)
    assert outcome.err.splitlines()[1] == "trials   4 trials: 2 settings × 2 seeds, 4 done already"
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in before} == before
    assert nn("sweep", "--resume", "sweeps/whole", "--quiet").out == here.outcome.out


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_table_fits_the_terminal(width: int, here: Swept, nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    table = nn("sweep", "--resume", "whole", "--quiet").out.split("\n\n")[0]
    assert max(map(len, table.splitlines())) <= width
    assert "learning_rate" in table


def test_without_unicode_a_sweep_is_still_readable(here: Swept) -> None:
    done = finish(start("--resume", "whole", LC_ALL="C", PYTHONIOENCODING="ascii", NO_COLOR="1"))
    assert done.code == 0
    assert "learning_rate 0.5: " in done.out
    assert done.out.isascii()
    assert "Traceback" not in done.err


# Signals and kills


@pytest.mark.parametrize(
    ("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_saves_all_trials_and_they_keep_their_bits(
    number: signal.Signals, to_all: bool, here: Swept, nn: Command
) -> None:
    """Ctrl-C reaches all processes of a terminal. With one job, trials are left when the signal comes."""
    process = start(*PLAN, "--name", "a", "--jobs", "1")
    wait_until_training(process, "sweeps/a")
    (os.killpg if to_all else os.kill)(process.pid, number)
    outcome = finish(process)
    assert (outcome.code, outcome.out) == (128 + number, "")
    assert re.search(
        r"\nInterrupted: [0-3] of 4 trials are done, and the others are saved\. Continue with:\n  nn sweep --resume a\n$",
        outcome.err,
    )
    assert "Traceback" not in outcome.err
    assert {status for status, *_ in results("sweeps/a").values()} <= {"interrupted", "finished"}
    assert results("sweeps/a") != here.results
    assert not Path("sweeps/a/.stop").exists()
    assert nn("sweep", "--resume", "a", "--jobs", 2).code == 0
    assert results("sweeps/a") == here.results


def test_a_killed_command_leaves_no_process_and_can_be_resumed(here: Swept, nn: Command) -> None:
    process = start(*PLAN, "--name", "a")
    wait_until_training(process, "sweeps/a")
    assert list(workers(process.pid))
    process.kill()
    finish(process)
    assert {status for status, *_ in results("sweeps/a").values()} & {"running"}
    resumed = nn("sweep", "--resume", "a", "--jobs", 2)
    assert resumed.code == 0, resumed.err
    assert results("sweeps/a") == here.results


def test_a_killed_worker_costs_only_time(here: Swept) -> None:
    process = start(*PLAN, "--name", "a")
    wait_until_training(process, "sweeps/a")
    os.kill(next(workers(process.pid)), signal.SIGKILL)
    outcome = finish(process)
    assert outcome.code == 0, outcome.err
    assert "failed" not in outcome.err
    assert results("sweeps/a") == here.results


def test_the_same_command_twice_at_once_trains_once(here: Swept) -> None:
    one, other = start(*PLAN, "--name", "a"), start(*PLAN, "--name", "a")
    outcomes = sorted((finish(one), finish(other)), key=lambda outcome: outcome.code)
    assert [outcome.code for outcome in outcomes] == [0, 1]
    assert outcomes[1].error == (
        "Error: sweeps/a: exists already; it has this plan: continue it with `nn sweep --resume a`"
    )
    assert results("sweeps/a") == here.results


def test_a_sweep_is_not_resumed_while_it_runs(here: Swept, nn: Command) -> None:
    with SweepDirectory(Path("sweeps/whole")).held():
        outcome = nn("sweep", "--resume", "whole")
    assert outcome.code == 1
    assert outcome.error == "Error: sweeps/whole: another process runs this sweep; wait for it, or stop it"


def test_a_sweep_that_is_removed_while_it_runs_ends(here: Swept) -> None:
    process = start(*PLAN, "--name", "a")
    wait_until_training(process, "sweeps/a")
    Path("sweeps/a").rename("elsewhere")
    outcome = finish(process)
    assert outcome.code == 1
    assert outcome.error.startswith("Error: ")


# Trials that fail or diverge


def test_a_damaged_trial_is_named_and_the_others_go_on(here: Swept, nn: Command) -> None:
    damaged, removed, *_ = sorted(here.results)
    (file := Path(f"sweeps/whole/{damaged}/run.json")).write_text("{")
    shutil.rmtree(f"sweeps/whole/{removed}")
    outcome = nn("sweep", "--resume", "whole", "--quiet", "--jobs", 1)
    assert outcome.code == 1
    assert outcome.error == (
        "Error: 1 trial failed 3 times; solve the problem, then continue with `nn sweep --resume whole`"
    )
    assert outcome.err.splitlines()[-2].startswith(f"failed: {damaged}: {file.absolute()}: does not describe a run: ")
    assert results_but(damaged) == {name: result for name, result in here.results.items() if name != damaged}
    assert "\nbest    learning_rate 0.5: " in outcome.out
    shutil.rmtree(f"sweeps/whole/{damaged}")
    assert nn("sweep", "--resume", "whole", "--quiet", "--jobs", 1).code == 0
    assert results("sweeps/whole") == here.results


def results_but(damaged: str) -> dict[str, Any]:
    shutil.move(f"sweeps/whole/{damaged}", "damaged")
    try:
        return results("sweeps/whole")
    finally:
        shutil.move("damaged", f"sweeps/whole/{damaged}")


def test_a_diverged_trial_is_a_row(nn: Command, small: Path) -> None:
    overrides = [f"--set={one}" for one in ("network.activation=relu", "network.output=identity", "training.epochs=2")]
    outcome = nn("sweep", small, "--grid", f"{RATE}=1e30,1e-3", "--seeds", 1, *overrides, "--name", "a", "--jobs", 1)
    assert outcome.code == 0, outcome.err
    assert re.search(r"diverged +\S+ s +learning_rate 1e\+30", outcome.err)
    finished, diverged = outcome.out.splitlines()[1:3]
    assert finished.split()[0] == "0.001"
    assert re.search(r"^ *1e\+30 .* diverged$", diverged)
    again = nn("sweep", "--resume", "a")
    assert (again.code, again.out) == (0, outcome.out)
    assert "2 done already" in again.err


# Plans


def test_options_replace_parts_of_a_plan_file(nn: Command) -> None:
    Path("p.yaml").write_text(
        f"config: chain\nset: {{training.epochs: 2, seed: 5}}\ngrid: {{{RATE}: [1, 2, 3]}}\nseeds: 4\n"
    )
    options = ["--grid", f"{RATE}=0.5,log:1..4:2", "--seeds", 1, "--set", "training.epochs=1"]
    assert nn("sweep", "--plan", "p.yaml", *options, "--name", "a", "--quiet", "--jobs", 1).code == 0
    assert tried("a") == {(0.5, 1, 5), (1.0, 1, 5), (4.0, 1, 5)}
    options = ["--random", 2, "--set", "training.epochs=3", "--data-dir", "digits"]
    assert nn("sweep", "--plan", "sweeps/a/plan.yaml", *options, "--name", "b", "--quiet", "--jobs", 1).code == 0
    assert len(tried("b")) == 2
    assert tried("b") < {(0.5, 3, 5), (1.0, 3, 5), (4.0, 3, 5)}
    assert SweepDirectory(Path("sweeps/b")).plan().configs["chain"].data.dir == str(Path("digits").absolute())


def tried(sweep: str) -> set[tuple[float, int, int]]:
    """Learning rate, epochs and seed of each trial."""
    configs = [json.loads(file.read_text())["config"] for file in Path("sweeps", sweep).glob("*/run.json")]
    return {(c["training"]["learning_rate"], c["training"]["epochs"], c["seed"]) for c in configs}


def test_several_recipes_are_compared_by_name(nn: Command, small: Path) -> None:
    Path("p.yaml").write_text("config: [chain, small.yaml]\nset: {training.epochs: 1}\nseeds: 1\n")
    outcome = nn("sweep", "--plan", "p.yaml", "--name", "a", "--quiet", "--jobs", 1)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].split()[:2] == ["recipe", "n"]
    assert [line.split()[0] for line in lines[1:3]] == ["chain", "small"]
    assert lines[4].startswith("best    chain: 100.00 % (n = 1)")


def test_a_plan_with_test_measures_every_setting(nn: Command, digits: Path) -> None:
    """Once: what is measured already is not measured again. The settings keep the order of the plan."""
    Path("digits.yaml").write_text(
        f"data: {{source: idx, dir: {digits}, validation: 100}}\n"
        "network: {sizes: [784, 4, 10]}\ntraining: {epochs: 1, batch_size: 50}\n"
    )
    Path("p.yaml").write_text(
        "config: digits.yaml\ngrid: {training.learning_rate: [1.0e-6, 1]}\nseeds: 1\ntest: true\n"
    )
    outcome = nn("sweep", "--plan", "p.yaml", "--name", "a", "--quiet", "--jobs", 1)
    assert outcome.code == 0, outcome.err
    heading, *rows = outcome.out.split("\n\n")[0].splitlines()
    assert "test ± s.d." in heading
    assert [row.split()[0] for row in rows] == ["1e-06", "1.0"]
    measured = [file.read_text() for file in Path("sweeps/a").glob("*/evaluations.csv")]
    assert len(measured) == 2
    again = nn("sweep", "--resume", "a", "--quiet")
    assert again.out == outcome.out
    assert [file.read_text() for file in Path("sweeps/a").glob("*/evaluations.csv")] == measured


def test_without_a_name_a_sweep_is_named_after_its_recipe(nn: Command) -> None:
    outcome = nn("sweep", "chain", "--set", "training.epochs=1", "--seeds", 1, "--quiet", "--jobs", 1)
    assert outcome.code == 0
    (path,) = Path("sweeps").iterdir()
    assert re.fullmatch(r"chain-\d{8}-\d{6}-[0-9a-f]{6}", path.name)
    assert outcome.out.splitlines() == [
        "n  mean ± s.d.       min       max  epochs",
        "1     100.00%*  100.00%*  100.00%*       1",
        "",
        f"sweep   {path}",
        f"next    nn evaluate {path}",
        f"        nn plot {path}",
    ]


def test_a_name_with_a_space_can_be_pasted(nn: Command) -> None:
    assert nn("sweep", "chain", "--seeds", 1, "--set", "training.epochs=1", "--name", "a b", "--quiet").code == 0
    assert nn("sweep", "chain", "--seeds", 1, "--set", "training.epochs=1", "--name", "a b").error == (
        "Error: sweeps/a b: exists already; it has this plan: continue it with `nn sweep --resume 'a b'`"
    )


# Mistakes


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "it has this plan: continue it with `nn sweep --resume whole`"),
        (("--seeds", "3"), "it has another plan (seeds is 2, not 3): choose another --name"),
        (
            ("--grid", f"{RATE}=1"),
            f"it has another plan (grid.{RATE} is [0.001, 0.5], not [1]): choose another --name",
        ),
        (
            ("--set", "training.momentum=0"),
            "it has another plan (configs.small.training.momentum is 0.5, not 0.0): choose another --name",
        ),
    ],
)
def test_a_sweep_is_never_overwritten(options: tuple[str, ...], expected: str, here: Swept, nn: Command) -> None:
    own = [*PLAN[:1], *PLAN[3:], *options] if "--grid" in options else [*PLAN, *options]
    outcome = nn("sweep", *own, "--name", "whole")
    assert (outcome.code, outcome.error) == (1, f"Error: sweeps/whole: exists already; {expected}")


def test_a_changed_plan_is_not_resumed(here: Swept, nn: Command) -> None:
    file = Path("sweeps/whole/plan.yaml")
    file.write_text(file.read_text().replace("seeds: 2", "seeds: 3"))
    outcome = nn("sweep", "--resume", "whole")
    assert outcome.code == 2
    assert outcome.error == (
        "Error: sweeps/whole/plan.yaml: was changed since the sweep began; restore it, or start another sweep with "
        "`nn sweep --plan sweeps/whole/plan.yaml --name NAME`"
    )


HELP = " (see `nn sweep --help`)"
BAD = [
    (["--resume", "x"], 1, "Error: x: is not a sweep (it holds no plan.yaml)"),
    (
        ["chain", "--resume", "x"],
        2,
        f"Error: --resume uses the sweep's own plan; only --jobs, --on and --quiet go with it{HELP}",
    ),
    (["chain", "--plan", "x"], 2, f"Error: CONFIG and --plan exclude each other; write `config: …` into the plan{HELP}"),
    (["--plan", "x"], 2, "Error: x: is neither a file nor a plan; the plans are ladder"),
    (["chain", "--on", "ray"], 2, f"Error: --on ray: must be local, mpi, or dask://HOST:PORT{HELP}"),
    (["chain", "--on", "dask://x"], 2, f"Error: --on dask://x: must be local, mpi, or dask://HOST:PORT{HELP}"),
    (
        ["chain", "--on", "mpi", "--jobs", "2"],
        2,
        f"Error: --jobs goes with --on local; the number of workers decides on mpi{HELP}",
    ),
    (
        ["chain", "--on", "mpi"],
        2,
        f"Error: --on mpi: needs a launcher and at least 2 processes: mpiexec -n 3 nn sweep … --on mpi{HELP}",
    ),
    (["chain", "--grid", RATE], 2, f"Error: --grid {RATE}: needs the form KEY=V1,V2,…, such as {RATE}=0.3,1,3"),
    (["chain", "--grid", "=1"], 2, f"Error: --grid =1: needs the form KEY=V1,V2,…, such as {RATE}=0.3,1,3"),
    (["chain", "--grid", f"{RATE}="], 2, f"Error: --grid {RATE}=: has no values; give some, such as {RATE}=0.3,1,3"),
    (
        ["chain", "--grid", f"{RATE}=[1"],
        2,
        f"Error: --grid {RATE}=[1: not valid YAML: expected ',' or ']', but got '<stream end>'",
    ),
    (
        ["chain", "--grid", f"{RATE}=1,x"],
        2,
        f"Error: grid {RATE}=x: {RATE}: 'x': must be a valid number, > 0",
    ),
    (["chain", "--grid", f"{RATE}=0..1"], 2, f"Error: grid {RATE}=0..1: {RATE}: '0..1': must be a valid number, > 0"),
    (["chain", "--set", "seed"], 2, "Error: --set seed: needs the form KEY=VALUE, such as training.epochs=5"),
    (["chain", "--random", "2"], 2, "Error: random: there is nothing to draw from; add --grid KEY=VALUES"),
    (["nowhere"], 2, "Error: nowhere: is neither a file nor a recipe; the recipes are "),
    (
        ["chain", "--set", "data.source=idx", "--set", "data.inputs=null", "--set", "data.targets=null"],
        1,
        "Error: ",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "expected"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_a_mistake_is_one_line_and_leaves_nothing(arguments: list[str], code: int, expected: str, nn: Command) -> None:
    outcome = nn("sweep", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.error == expected or (expected.endswith(" ") and outcome.error.startswith(expected))
    assert not Path("sweeps").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a", "a/"])
def test_a_name_is_no_path(name: str, nn: Command) -> None:
    outcome = nn("sweep", "chain", "--name", name)
    assert outcome.code == 2
    assert outcome.error == (
        f"Error: --name {name}: must be a name, not a path; the sweep is written into sweeps/NAME{HELP}"
    )
    assert not Path("sweeps").exists()


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    import logging

    monkeypatch.setattr("nn_cli.sweeping.engines.CONNECT", 0.5)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("no_wait")
def test_a_scheduler_that_does_not_answer_is_one_line(nn: Command) -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
    outcome = nn("sweep", "chain", "--on", "dask://127.0.0.1:9")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: --on dask://127.0.0.1:9: no scheduler answers there: ")
    assert outcome.error.endswith("; start one with `dask scheduler`")
    assert not Path("sweeps").exists()
