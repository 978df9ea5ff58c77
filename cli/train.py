"""`nn train`: train a network, or continue an interrupted run."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .completion import complete_config, complete_run, set_option
from .output_files import FILE
from .runs import shell_quoted
from .text import note, printable

if TYPE_CHECKING:
    from mnist_nn import Config, Examples
    from mnist_nn.runs.run_directory import RunDirectory
    from mnist_nn.training.state import TrainingState
    from mnist_nn.training.workers import Workers


@click.command(short_help="Train a network, or continue an interrupted run.")
@click.argument("config", required=False, shell_complete=complete_config)
@set_option
@click.option("--run-dir", metavar="DIR", help="Write the run to this new directory. Default: a new one under runs/.")
@click.option(
    "--data-dir",
    metavar="DIR",
    help="Read the data files from this directory, and download into it. "
    "Default: data.dir of CONFIG, else $NN_DATA_DIR, else the user's cache.",
)
@click.option(
    "--resume",
    metavar="RUN",
    shell_complete=complete_run,
    help="Continue an interrupted run. It ends with the same bits as an uninterrupted one. "
    "To extend a finished run, add --set training.epochs=N.",
)
@click.option(
    "--preview-augmentation",
    "preview",
    metavar="FILE.png",
    type=FILE,
    help="Draw the distorted digits of the first epochs. Do not train.",
)
@click.option("--quiet", is_flag=True, help="Print only the results and warnings, no progress.")
def train(
    config: str | None,
    overrides: tuple[str, ...],
    run_dir: str | None,
    data_dir: str | None,
    resume: str | None,
    preview: Path | None,
    quiet: bool,
) -> None:
    """Train a network, or continue an interrupted run.

    CONFIG is a recipe's name (see the README) or a YAML file. Default: mnist.

    The run directory holds the configuration, metrics.csv, and the checkpoints `last` and `best`. Ctrl-C saves the
    state and stops. Continue with --resume.

    \b
    nn train quickstart
    nn train mnist --set training.epochs=5 --set seed=1
    nn train --resume runs/mnist-20260102-030405-a1b2c3
    nn train best --preview-augmentation sheet.png
    """
    recipe = "mnist" if config is None else config
    if preview is not None and (resume is not None or run_dir is not None):
        raise click.UsageError("--preview-augmentation does not train; leave out --resume and --run-dir")
    if resume is not None:
        if config is not None or run_dir is not None:
            raise click.UsageError(
                "--resume uses the run's own configuration and directory; leave out CONFIG and --run-dir"
            )
        _resume(resume, overrides, data_dir, quiet)
    elif preview is not None:
        from .preview import preview_augmentation

        preview_augmentation(preview, recipe, overrides, data_dir)
    else:
        _start(recipe, overrides, run_dir, data_dir, quiet)


def _start(config: str, overrides: tuple[str, ...], run_dir: str | None, data_dir: str | None, quiet: bool) -> None:
    from mnist_nn import initial_state, read_config
    from mnist_nn.runs.run_directory import RunDirectory, new_run_path

    from .compiling import with_compiled
    from .data_directory import with_data
    from .loading import load_training
    from .machine import choose_threads
    from .processes import connected, in_turn, together
    from .recipes import recipe_name
    from .recording import describe_training
    from .runs import RUNS
    from .sharding import advise, with_shards

    with connected() as workers, ExitStack() as held:
        with together(workers):
            settings = with_shards(with_data(read_config(config, overrides), None, data_dir), workers)
        training, validation = in_turn(workers, lambda: load_training(settings))
        with together(workers):
            settings = with_compiled(settings, len(training))
            state = initial_state(settings)
        held.enter_context(choose_threads(settings, workers))
        description = describe_training(settings, training, validation, workers)
        _require_same_bits(workers, settings, state, description)
        advise(settings, workers)
        run = None
        with together(workers):
            if workers.rank == 0:
                recipe = recipe_name(config)
                path = Path(run_dir) if run_dir is not None else new_run_path(RUNS, recipe)
                run = RunDirectory.create(path, settings, state, {"recipe": printable(recipe), **description})
                held.enter_context(run.held())
        _run_training(run, settings, state, training, validation, workers, quiet)


def _resume(resume: str, overrides: tuple[str, ...], data_dir: str | None, quiet: bool) -> None:
    from mnist_nn.errors import RunError

    from .data_directory import with_data
    from .loading import load_training
    from .machine import choose_threads, differences
    from .processes import connected, in_turn, together
    from .recording import describe_training
    from .runs import find_run
    from .sharding import advise

    with connected() as workers, ExitStack() as held:
        run, saved = None, None
        with together(workers):
            if workers.rank == 0:
                run = find_run(resume)
                held.enter_context(run.held())
                saved = _read_run(run, overrides, workers)
        config, state, description = workers.gather(saved)[0]
        del saved
        if description.get("status") == "finished" and state.is_finished(config.training):
            if run:
                note(
                    f"{printable(str(run.path))} is already finished; there is nothing to resume. "
                    "To train longer, add --set training.epochs=N"
                )
                _print_results(run, state)
            return
        held.enter_context(choose_threads(config, workers))
        training, validation = in_turn(workers, lambda: load_training(with_data(config, None, data_dir)))
        here = describe_training(config, training, validation, workers)
        with together(workers):
            if description.get("data") != here["data"]:
                raise RunError(
                    f"{resume}: was trained on other data; give the directory of the original data with --data-dir"
                )
        _require_same_bits(workers, config, state, here)
        sharded = (config.training.shards or 1) > 1
        for difference in differences(description, here, sharded=sharded):
            note(f"warning: {printable(difference)}; the last bits may differ from those of an uninterrupted run")
        advise(config, workers)
        if not quiet:
            note(f"continuing in epoch {state.epoch + 1}")
        with together(workers):
            if run:
                run.configure(config)
        _run_training(run, config, state, training, validation, workers, quiet)


def _read_run(
    run: "RunDirectory", overrides: tuple[str, ...], workers: "Workers"
) -> tuple["Config", "TrainingState", dict[str, Any]]:
    """Return the configuration to continue a run with, its state, and its run.json.

    Raises the errors of a run that cannot be continued.
    """
    from mnist_nn import load_checkpoint
    from mnist_nn.errors import RunError
    from mnist_nn.runs.resuming import require_best, settings_to_resume

    from .sharding import require_divisible

    description = run.description()
    if description.get("status") == "diverged":
        raise RunError(
            f"{run.path}: this run diverged and would diverge again; start a new run with a smaller learning rate"
        )
    checkpoint = load_checkpoint(run.checkpoint("last"))
    config = settings_to_resume(run, checkpoint, overrides)
    require_best(run, checkpoint.state)
    require_divisible(config, workers)
    if config.training.epochs != checkpoint.config.training.epochs and config.training.schedule == "cosine":
        note(
            f"the cosine schedule now ends at epoch {config.training.epochs}; "
            f"the result differs from a run that was started with {config.training.epochs} epochs"
        )
    return config, checkpoint.state, description


def _require_same_bits(
    workers: "Workers", config: "Config", state: "TrainingState", description: dict[str, Any]
) -> None:
    """Fail on all processes if one of them would compute other bits."""
    from mnist_nn import fingerprint

    from .processes import require_equal

    settings = config.plain()
    del settings["data"]["dir"], settings["training"]["threads"]  # each machine may have its own
    require_equal(
        workers,
        {
            "version": description["versions"],
            **settings,
            "BLAS": description["machine"]["blas"],
            "SHA-256 of the data": description["data"]["sha256"],
            "fingerprint of the parameters": fingerprint(state.network),
        },
    )


def _run_training(
    run: "RunDirectory | None",
    config: "Config",
    state: "TrainingState",
    training: "Examples",
    validation: "Examples",
    workers: "Workers",
    quiet: bool,
) -> None:
    """Train until the end or a signal, and show the progress and the results. Process 0 alone has the run directory.

    Raises Interrupted after a signal, when the state is saved.
    """
    from .interruption import Interrupted, catch_signals
    from .progress import TrainingDisplay
    from .recording import record_training
    from .run_summary import print_run_summary
    from .watching import Watch

    if run and not quiet:
        print_run_summary(run, config, state, training, validation, workers)
    with catch_signals() as caught, TrainingDisplay(config, quiet=quiet) as display:
        watch = Watch(config, state, training, display) if run else None
        show = watch.show if watch else display.show
        signal = record_training(
            run, config, state, training, validation, workers, show=show, stop=lambda: caught.signal
        )
    if run and signal:
        note(
            f"Interrupted in epoch {state.epoch + 1}. The state is saved. Continue with:\n"
            f"  nn train --resume {shell_quoted(run.path)}"
        )
    if signal:
        raise Interrupted(signal, reported=True)
    if run and watch:
        is_guess = _is_guess(state, validation if len(validation) else training)
        _print_results(run, state, is_guess=is_guess, way_out=watch.way_out(run) if is_guess else "")


def _is_guess(state: "TrainingState", measured: "Examples") -> bool:
    """Return whether the best accuracy is no better than always answering the most frequent class."""
    from mnist_nn.explaining.diagnosis import is_guessing

    best = state.best
    if best is None:
        return False
    accuracy = best.train_accuracy if best.validation_accuracy is None else best.validation_accuracy
    return is_guessing(accuracy, measured)


def _print_results(run: "RunDirectory", state: "TrainingState", *, is_guess: bool = False, way_out: str = "") -> None:
    """Print the results and what to type next. `way_out` is a command that trains better; it comes first."""
    from mnist_nn import fingerprint

    best = state.best
    if best is not None:
        accuracy, kind = best.validation_accuracy, "validation"
        if accuracy is None:
            accuracy, kind = best.train_accuracy, "train"
        verdict = "; no better than guessing" if is_guess else ""
        click.echo(f"best {kind} accuracy  {100 * accuracy:.2f}%  (epoch {best.epoch} of {state.epoch}{verdict})")
    click.echo(f"run          {printable(str(run.path))}")
    click.echo(f"fingerprint  {fingerprint(state.network)}")
    first = way_out if is_guess else f"nn evaluate {shell_quoted(run.path)}"
    commands = [first, f"nn inspect-gradients {shell_quoted(run.path)}"]
    for label, command in zip(("next", ""), filter(None, commands), strict=False):
        click.echo(f"{label:<12} {command}")
