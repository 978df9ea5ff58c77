"""Training that is recorded in a run directory, for every command that trains."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .machine import describe_machine
from .processes import together
from .runs import shell_quoted

if TYPE_CHECKING:
    from mnist_nn import Config, Examples
    from mnist_nn.runs.run_directory import RunDirectory
    from mnist_nn.training.loop import Progress
    from mnist_nn.training.state import TrainingState
    from mnist_nn.training.workers import Workers


def describe_training(
    config: "Config", training: "Examples", validation: "Examples", workers: "Workers"
) -> dict[str, Any]:
    """Return the seed, the versions, the machine and the data of a training, for run.json."""
    return {
        "seed": config.seed,
        **describe_machine(workers, compiled=bool(config.training.compiled)),
        "data": _describe_data(config, training, validation),
    }


def _describe_data(config: "Config", training: "Examples", validation: "Examples") -> dict[str, Any]:
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


def record_training(
    run: "RunDirectory | None",
    config: "Config",
    state: "TrainingState",
    training: "Examples",
    validation: "Examples",
    workers: "Workers",
    *,
    show: Callable[["Progress"], None],
    stop: Callable[[], int],
) -> int:
    """Train until the end, or until `stop` returns something else than 0, and save the state then.

    Process 0 alone has the run directory. Returns what `stop` returned on one of the processes, 0 at the end of
    training. Raises DivergenceError, and RunError if the run directory cannot be written.
    """
    from mnist_nn import train
    from mnist_nn.errors import DivergenceError
    from mnist_nn.runs.recorder import Recorder

    recorder, reason = None, 0
    with together(workers), _saving(run):
        if run:
            recorder = Recorder(run, config, state)
            recorder.start()
    try:
        for report in train(config, state, training, validation, workers):
            if report.result or report.gradient_norms or report.is_snapshot:  # the same on all processes
                with together(workers), _saving(run):
                    if recorder:
                        recorder.write(report)
            show(report)
            reason = max(workers.gather(stop()))  # so that all stop at the same step
            if reason and not state.is_finished(config.training):
                break
            reason = 0
    except DivergenceError:
        with together(workers), _saving(run):
            if recorder:
                recorder.diverge()
            raise  # on all processes alike
    with together(workers), _saving(run):
        if recorder and reason:
            recorder.interrupt()
        elif recorder:
            recorder.finish()
    return reason


@contextmanager
def _saving(run: "RunDirectory | None") -> Iterator[None]:
    """Explain an error while a file of the run is written."""
    from mnist_nn.errors import RunError

    try:
        yield
    except OSError as error:
        if run is None or error.filename is None:  # the error is not about a file of the run
            raise
        if not run.path.is_dir():
            raise RunError(f"{run.path}: the run directory was removed while training; start a new run") from None
        raise RunError(
            f"{error.filename}: {error.strerror}; everything saved before is intact; "
            f"solve the problem, then continue with `nn train --resume {shell_quoted(run.path)}`"
        ) from None
