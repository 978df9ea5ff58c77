"""What the Tab key completes in a shell: recipes, runs, and the keys of the configuration. It imports click alone."""

import contextlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .runs import RUNS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# The keys of the configuration. Looking them up would take longer than a Tab may; a test compares them with the schema.
KEYS = (
    "seed", "dtype", "data.source", "data.dir", "data.validation", "data.deslant", "data.inputs", "data.targets",
    "augmentation.elastic.sigma", "augmentation.elastic.alpha", "augmentation.rotation", "augmentation.scaling",
    "augmentation.shear", "augmentation.shift", "network.sizes", "network.activation", "network.output", "network.init",
    "cost", "training.epochs", "training.batch_size", "training.learning_rate", "training.momentum", "training.l2",
    "training.schedule", "training.warmup", "training.early_stopping", "training.threads", "training.shards",
    "training.compiled", "training.gradient_norms", "training.snapshots",
)  # fmt: skip


def complete_config(context: click.Context, parameter: click.Parameter, begun: str) -> "list[CompletionItem]":
    """Complete a CONFIG: a shipped recipe, or a file."""
    names = (entry.name for entry in files("nn_configs").iterdir())
    return _those(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")), begun)


def complete_run(context: click.Context, parameter: click.Parameter, begun: str) -> "list[CompletionItem]":
    """Complete a RUN: a run under runs/, newest first, or a file."""
    return _those([str(run) for run in _newest_first(RUNS)], begun)


def complete_key(context: click.Context, parameter: click.Parameter, begun: str) -> "list[CompletionItem]":
    """Complete the KEY of KEY=VALUE."""
    return _those([f"{key}=" for key in KEYS], begun)


set_option = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=complete_key,
    help="Override a value. Can be repeated.",
)


def _those(words: list[str], begun: str) -> "list[CompletionItem]":
    """Return the words that begin so. Where there are none, the shell completes files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(begun)] or [CompletionItem(begun, type="file")]


def _newest_first(root: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        runs = [entry for entry in root.iterdir() if (entry / "run.json").is_file()]
        yield from sorted(runs, key=lambda run: run.stat().st_mtime, reverse=True)


def prepare_completion() -> None:
    """Let bash write no space after KEY=. Click's own script writes one after every word."""
    from click.shell_completion import BashComplete, add_completion_class

    class KeyComplete(BashComplete):
        source_template = BashComplete.source_template.replace(
            "    return 0\n", '    if [[ "${COMPREPLY[0]}" == *= ]]; then compopt -o nospace; fi\n    return 0\n', 1
        )

    add_completion_class(KeyComplete)
