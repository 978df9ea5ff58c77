"""`nn train`: train a network, or continue an interrupted run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output_files import FILE
from .runs import shell_quoted
from .text import note, printable

if TYPE_CHECKING:
    from mnist_nn import Config, Examples
    from mnist_nn.runs.run_directory import RunDirectory
    from mnist_nn.training.state import TrainingState


@click.command(short_help="Train a network, or continue an interrupted run.")
@click.argument("config", required=False)
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Override a value. Can be repeated.")
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
@click.option("--quiet", is_flag=True, help="Print only the results, no progress.")
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

    from .data_directory import with_data
    from .loading import load_training
    from .machine import choose_threads, describe_machine
    from .recipes import recipe_name
    from .runs import RUNS

    settings = with_data(read_config(config, overrides), None, data_dir)
    choose_threads(settings)
    training, validation = load_training(settings)
    state = initial_state(settings)
    recipe = recipe_name(config)
    description = {
        "recipe": printable(recipe),
        "seed": settings.seed,
        **describe_machine(compiled=settings.training.compiled),
        "data": describe_data(settings, training, validation),
    }
    path = Path(run_dir) if run_dir is not None else new_run_path(RUNS, recipe)
    run = RunDirectory.create(path, settings, state, description)
    with run.held():
        _run_training(run, settings, state, training, validation, quiet)


def _resume(resume: str, overrides: tuple[str, ...], data_dir: str | None, quiet: bool) -> None:
    from mnist_nn import load_checkpoint
    from mnist_nn.errors import RunError
    from mnist_nn.runs.resuming import require_best, settings_to_resume

    from .data_directory import with_data
    from .loading import load_training
    from .machine import choose_threads, describe_machine, differences
    from .runs import find_run

    run = find_run(resume)
    with run.held():
        description = run.description()
        if description.get("status") == "diverged":
            raise RunError(
                f"{run.path}: this run diverged and would diverge again; start a new run with a smaller learning rate"
            )
        checkpoint = load_checkpoint(run.checkpoint("last"))
        config = settings_to_resume(run, checkpoint, overrides)
        require_best(run, checkpoint.state)
        if config.training.epochs != checkpoint.config.training.epochs and config.training.schedule == "cosine":
            note(
                f"the cosine schedule now ends at epoch {config.training.epochs}; "
                f"the result differs from a run that was started with {config.training.epochs} epochs"
            )
        if description.get("status") == "finished" and checkpoint.state.is_finished(config.training):
            note(
                f"{printable(str(run.path))} is already finished; there is nothing to resume. "
                "To train longer, add --set training.epochs=N"
            )
            _print_results(run, checkpoint.state)
            return
        choose_threads(config)
        training, validation = load_training(with_data(config, None, data_dir))
        if description.get("data") != describe_data(config, training, validation):
            raise RunError(
                f"{run.path}: was trained on other data; give the directory of the original data with --data-dir"
            )
        for difference in differences(description, describe_machine(compiled=config.training.compiled)):
            note(f"warning: {printable(difference)}; the last bits may differ from those of an uninterrupted run")
        if not quiet:
            note(f"continuing in epoch {checkpoint.state.epoch + 1}")
        run.configure(config)
        _run_training(run, config, checkpoint.state, training, validation, quiet)


def _run_training(
    run: "RunDirectory",
    config: "Config",
    state: "TrainingState",
    training: "Examples",
    validation: "Examples",
    quiet: bool,
) -> None:
    """Train until the end or a signal, and show the progress and the results.

    Raises Interrupted after a signal, when the state is saved.
    """
    from mnist_nn import train as training_loop
    from mnist_nn.errors import RunError
    from mnist_nn.runs.recorder import Recorder

    from .interruption import Interrupted, catch_signals
    from .progress import TrainingDisplay
    from .run_summary import print_run_summary

    if not quiet:
        print_run_summary(run, config, state, training, validation)
    interrupted = False
    try:
        with catch_signals() as caught, TrainingDisplay(config, quiet=quiet) as display:
            recorder = Recorder(run, config, state)
            for report in recorder.record(training_loop(config, state, training, validation)):
                display.show(report)
                if caught.signal and not state.is_finished(config.training):
                    recorder.interrupt()
                    interrupted = True
                    break
    except OSError as error:
        if error.filename is None:  # the error is not about a file of the run
            raise
        if not run.path.is_dir():
            raise RunError(f"{run.path}: the run directory was removed while training; start a new run") from None
        raise RunError(
            f"{error.filename}: {error.strerror}; everything saved before is intact; "
            f"solve the problem, then continue with `nn train --resume {shell_quoted(run.path)}`"
        ) from None
    if interrupted:
        note(
            f"Interrupted in epoch {state.epoch + 1}. The state is saved. Continue with:\n"
            f"  nn train --resume {shell_quoted(run.path)}"
        )
        raise Interrupted(caught.signal, reported=True)
    _print_results(run, state)


def describe_data(config: "Config", training: "Examples", validation: "Examples") -> dict[str, Any]:
    """Return the source, the numbers of examples, and a SHA-256 digest that identifies the examples."""
    import hashlib

    digest = hashlib.sha256()
    for examples in (training, validation):
        digest.update(examples.inputs.data)
        digest.update(examples.targets.data)
    return {
        "source": config.data.source,
        "training_examples": len(training),
        "validation_examples": len(validation),
        "sha256": digest.hexdigest(),
    }


def _print_results(run: "RunDirectory", state: "TrainingState") -> None:
    from mnist_nn import fingerprint

    best = state.best
    if best is not None:
        accuracy, kind = best.validation_accuracy, "validation"
        if accuracy is None:
            accuracy, kind = best.train_accuracy, "train"
        click.echo(f"best {kind} accuracy  {100 * accuracy:.2f}%  (epoch {best.epoch} of {state.epoch})")
    click.echo(f"run          {printable(str(run.path))}")
    click.echo(f"fingerprint  {fingerprint(state.network)}")
    click.echo(f"next         nn evaluate {shell_quoted(run.path)}")
    click.echo(f"             nn inspect-gradients {shell_quoted(run.path)}")
