"""What an exported file says about its network, as strings: where it comes from, and how well it does."""

from ..configuration.messages import escape
from ..configuration.schema import Config
from ..runs.checkpoint import Checkpoint, fingerprint
from ..runs.evaluations import read_evaluations
from ..runs.run_directory import RunDirectory, numbers

WRITER = "nn export"  # the mark by which the command knows its own files
LICENCES = {
    "mnist": "MNIST by Yann LeCun, Corinna Cortes and Christopher J.C. Burges, CC BY-SA 3.0",
    "synthetic": "drawn by nn, under the MIT licence",
    "idx": "unknown to nn: it is for the owner of the IDX files to say",
    "inline": "unknown to nn: the examples are the configuration's own",
}


def takes_pixels(config: Config) -> bool:
    """Whether the network sees images, as pixels / 255. Inline data are numbers, taken as they are."""
    return config.data.source != "inline"


def describe_network(checkpoint: Checkpoint, run: RunDirectory | None, version: str) -> dict[str, str]:
    """The facts about a network of this version of nn, the writer first. What is not known is left out.

    `run` is the run directory that the network belongs to, if any. Raises RunError where its files are damaged.
    """
    config, state = checkpoint.config, checkpoint.state
    facts = {
        "written_by": WRITER,
        "nn_version": version,
        "sizes": "-".join(map(str, config.network.sizes)),
        "activation": config.network.activation,
        "output": config.network.output,
        "cost": config.cost,
        "dtype": config.dtype,
        "scaling": "pixels / 255" if takes_pixels(config) else "none",
        "deslant": str(config.data.deslant).lower(),
        "fingerprint": fingerprint(checkpoint.network),
        "epoch": str(state.epoch),
        "seed": str(config.seed),
        "data": config.data.source,
        "data_licence": LICENCES[config.data.source],
    }
    best, epoch_is_whole = state.best, state.step == 0
    if best and epoch_is_whole and best.epoch == state.epoch and best.validation_accuracy is not None:
        facts["validation_accuracy"] = str(best.validation_accuracy)
    return facts | (_facts_of_run(run, config, facts, epoch_is_whole=epoch_is_whole) if run else {})


def _facts_of_run(run: RunDirectory, config: Config, facts: dict[str, str], *, epoch_is_whole: bool) -> dict[str, str]:
    """The facts that are recorded beside the checkpoint: the recipe, and what was measured of this very network."""
    known = {"recipe": str(run.description().get("recipe", "run")), "run": escape(run.path.resolve().name)}
    for row in run.metrics():
        values = numbers(row)
        if epoch_is_whole and str(values["epoch"]) == facts["epoch"] and values["validation_accuracy"] is not None:
            known["validation_accuracy"] = str(values["validation_accuracy"])
    for one in read_evaluations(run):  # the last one counts
        if (one.split, one.fingerprint, one.source) == ("test", facts["fingerprint"], config.data.source):
            known["test_accuracy"], known["test_examples"] = str(one.accuracy), str(one.examples)
    return known
