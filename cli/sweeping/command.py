"""`nn sweep`: train many settings with several seeds each, and compare them."""

import re
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..completion import complete_config, set_option
from ..launcher import launched
from ..text import counted, note, printable

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.sweeps.plan import Plan, Trial
    from mnist_nn.sweeps.sweep_directory import SweepDirectory

    from .engines import Engine


@click.command(short_help="Train many settings with several seeds each, and compare them.")
@click.argument("config", required=False, shell_complete=complete_config)
@click.option("--plan", metavar="PLAN", help="A YAML file with the plan, or the name of an installed plan: ladder.")
@click.option(
    "--grid",
    metavar="KEY=V1,V2,…",
    multiple=True,
    help="Try these values. Ranges: log:0.01..1:5 has five values at equal ratios, linear:0..0.9:4 four at equal "
    "distances. Repeated for several keys: every combination.",
)
@click.option("--random", metavar="N", type=click.IntRange(1), help="Try N random points of the grid, not all of it.")
@click.option("--seeds", metavar="N", type=click.IntRange(1, 1000), help="Train each setting with N seeds. Default: 3.")
@set_option
@click.option("--name", metavar="NAME", help="Write into sweeps/NAME. Default: the recipe and the time.")
@click.option("--resume", metavar="NAME", help="Finish the sweep sweeps/NAME.")
@click.option(
    "--jobs", metavar="N", type=click.IntRange(1), help="Trials at a time, with --on local. Default: one for each core."
)
@click.option(
    "--on",
    metavar="ENGINE",
    default="local",
    show_default=True,
    help="Where to train: local, dask://HOST:PORT, or mpi (under mpiexec).",
)
@click.option("--data-dir", metavar="DIR", help="Read the data files from this directory, as in `nn train`.")
@click.option("--quiet", is_flag=True, help="Print only the results, no progress.")
def sweep(
    config: str | None,
    plan: str | None,
    grid: tuple[str, ...],
    random: int | None,
    seeds: int | None,
    overrides: tuple[str, ...],
    name: str | None,
    resume: str | None,
    jobs: int | None,
    on: str,
    data_dir: str | None,
    quiet: bool,
) -> None:
    """Train many settings with several seeds each, and compare them.

    CONFIG is a recipe's name or a YAML file. Default: mnist. Each trial is an ordinary run in sweeps/NAME, trained by
    one thread unless training.threads is set. A sweep that was stopped or killed goes on with --resume.

    \b
    nn sweep quickstart --grid training.learning_rate=0.3,1,3
    nn sweep mnist --grid training.learning_rate=log:0.1..10:5 --grid training.momentum=0,0.9 --seeds 5
    nn sweep mnist --grid training.learning_rate=log:0.1..10 --random 20
    nn sweep --plan ladder
    nn sweep --resume mnist-20260102-030405-a1b2c3
    """
    given = [config, plan, grid, random, seeds, overrides, name, data_dir]
    if resume is not None and any(given):
        raise click.UsageError("--resume uses the sweep's own plan; only --jobs, --on and --quiet go with it")
    if config is not None and plan is not None:
        raise click.UsageError("CONFIG and --plan exclude each other; write `config: …` into the plan")
    if name is not None and (Path(name).name != name or name in ("", "..")):
        raise click.UsageError(f"--name {name}: must be a name, not a path; the sweep is written into sweeps/NAME")
    if not (on in ("local", "mpi") or re.fullmatch(r"dask://\S+:[0-9]{1,5}", on)):
        raise click.UsageError(f"--on {on}: must be local, mpi, or dask://HOST:PORT")
    if on != "mpi" and launched().processes > 1:
        raise click.UsageError(f"--on {on}: each of {launched().processes} processes would run the sweep; add --on mpi")
    if jobs is not None and on != "local":
        raise click.UsageError(f"--jobs goes with --on local; the number of workers decides on {on}")
    from . import engines

    with ExitStack() as held:
        engine = None
        if on == "mpi":
            engine = held.enter_context(engines.mpi())
            if engine is None:  # this process has worked for process 0
                return
        elif on != "local":
            engine = held.enter_context(engines.dask(on))
        if resume is not None:
            directory, resolved, trials = _open(resume)
        else:
            asked = _asked(config, plan, grid, random, seeds)
            directory, resolved, trials = _create(asked, overrides, data_dir, name)
        held.enter_context(directory.held())
        if engine is None:
            engine = held.enter_context(engines.local(jobs or _default_jobs(trials)))
        _run(engine, directory, resolved, trials, quiet)


def _asked(config: str | None, plan: str | None, grid: Sequence[str], random: int | None, seeds: int | None) -> "Plan":
    """Return the plan that the options describe. Options replace what the file of --plan says. Raises ConfigError."""
    from mnist_nn.sweeps.plan import Plan
    from mnist_nn.sweeps.plan_file import read_plan

    asked = Plan(config=[config or "mnist"]) if plan is None else read_plan(plan)
    changes: dict[str, Any] = {"random": random, "seeds": seeds, "grid": dict(_read_grid(one) for one in grid) or None}
    return asked.model_copy(update={key: value for key, value in changes.items() if value is not None})


def _read_grid(option: str) -> tuple[str, list[Any]]:
    """Return the key and the values of a --grid option. Raises ConfigError."""
    from mnist_nn.configuration.messages import escape, shorten
    from mnist_nn.configuration.reader import read_value
    from mnist_nn.errors import ConfigError

    place = f"--grid {shorten(escape(option))}"
    key, equals, text = option.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{place}: needs the form KEY=V1,V2,…, such as training.learning_rate=0.3,1,3")
    values = read_value(f"[{text}]", place)
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{place}: has no values; give some, such as training.learning_rate=0.3,1,3")
    return key.strip(), values


def _create(
    asked: "Plan", overrides: tuple[str, ...], data_dir: str | None, name: str | None
) -> "tuple[SweepDirectory, Plan, list[Trial]]":
    """Make a new sweep. Its data are loaded once, so that what cannot be trained is refused before the first trial."""
    from mnist_nn import read_config
    from mnist_nn.runs.run_directory import new_run_path
    from mnist_nn.sweeps.plan import trials
    from mnist_nn.sweeps.sweep_directory import SweepDirectory

    from ..data_directory import with_data
    from ..recipes import recipe_name
    from .driver import SWEEPS

    def read(entry: str, overrides: Sequence[str]) -> "tuple[str, Config]":
        return recipe_name(entry), read_config(entry, overrides)

    plan = asked.resolve(read, overrides)
    configs = {name: with_data(config, None, data_dir) for name, config in plan.configs.items()}
    plan = plan.model_copy(update={"configs": configs})
    listed = trials(plan)
    _require_data(listed)
    path = SWEEPS / name if name is not None else new_run_path(SWEEPS, plan.config[0])
    return SweepDirectory.create(path, plan), plan, listed


def _open(name: str) -> "tuple[SweepDirectory, Plan, list[Trial]]":
    """Open a sweep under sweeps/, or at a path. Raises RunError, ConfigError."""
    from mnist_nn.sweeps.plan import trials
    from mnist_nn.sweeps.sweep_directory import SweepDirectory

    from .driver import SWEEPS

    here = SweepDirectory(SWEEPS / name)
    directory = here if here.exists else SweepDirectory.open(Path(name))
    plan = directory.plan()
    return directory, plan, trials(plan)


def _require_data(trials: "Sequence[Trial]") -> None:
    """Load the examples of each kind of trial once, which downloads what is missing."""
    import json

    from ..loading import load_training

    checked: set[str] = set()
    for trial in trials:
        sizes = trial.config.network.sizes
        kind = json.dumps([trial.config.data.model_dump(), sizes[0], sizes[-1]])
        if kind not in checked:
            checked.add(kind)
            load_training(trial.config)


def _default_jobs(trials: "Sequence[Trial]") -> int:
    from ..machine import cores

    return max(1, cores() // max((trial.config.training.threads or 1 for trial in trials), default=1))


def _run(engine: "Engine", directory: "SweepDirectory", plan: "Plan", trials: "Sequence[Trial]", quiet: bool) -> None:
    """Train the trials that have not ended, and print what the sweep has found. Raises Interrupted after a signal."""
    from ..interruption import Interrupted, catch_signals
    from .display import SweepDisplay
    from .driver import Ended, ended, resume_command, run_trials
    from .summary import print_failures, print_summary

    done = [trial for trial in trials if ended(directory, trial)]
    left = [trial for trial in trials if not ended(directory, trial)]
    if not quiet:
        note(f"sweep    {printable(str(directory.path))}")
        note(f"trials   {_trials_text(plan, trials)}" + (f", {len(done):,} done already" if done else ""))
    failed: list[Ended] = []
    with catch_signals() as caught:
        try:
            with SweepDisplay(directory, trials, done, quiet=quiet) as display:
                for event in run_trials(engine, directory, left):
                    if caught.signal and not directory.is_asked_to_stop():
                        directory.ask_to_stop()
                    display.show(event)
                    if event and event.reason:
                        failed.append(event)
        except BaseException:
            with suppress(OSError):  # without its directory the sweep stops anyway
                directory.ask_to_stop()
            raise
        finally:
            engine.finish()
    stopped = sum(not ended(directory, trial) for trial in trials) - len(failed)
    if stopped:
        note(
            f"Interrupted: {len(trials) - stopped:,} of {counted(len(trials), 'trial')} are done, and the others are "
            f"saved. Continue with:\n  {resume_command(directory)}"
        )
        raise Interrupted(caught.signal, reported=True)
    print_summary(directory, plan, trials)
    print_failures(directory, failed)


def _trials_text(plan: "Plan", trials: "Sequence[Trial]") -> str:
    settings = counted(len(trials) // plan.seeds, "setting")
    return f"{counted(len(trials), 'trial')}: {settings} × {counted(plan.seeds, 'seed')}"
