"""The page in a notebook: `explain` shows it inside Jupyter and everything that displays HTML as Jupyter does."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from data_scripts.files import write_atomically

from ..chapter.cost import COSTS, CostName
from ..chapter.network import Network
from ..configuration.schema import Config
from ..examples.dataset import Examples
from ..explaining.inspection import Inspection
from ..runs.checkpoint import Checkpoint, load_checkpoint
from ..runs.run_directory import RunDirectory
from ..training.state import initial_state
from .file import render_page
from .history import History, read_history
from .report import make_report

BATCH = 64  # examples at most, over which the page averages
HEIGHT = 820  # pixels of the page in a notebook


@dataclass(frozen=True, repr=False)
class Explanation:
    """A page that takes a network apart. A notebook shows it; `save` writes it as a file for any browser."""

    name: str
    html: bytes

    def __repr__(self) -> str:
        return f"<page about {self.name}, {len(self.html) / 1e6:.1f} MB; save it with .save('page.html')>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html.decode())}" title="{escape(self.name)}" '
            f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
        )

    def save(self, path: str | Path) -> None:
        """Write the page, whole or not at all. Replaces a file that exists. Raises OSError."""
        write_atomically(Path(path), self.html)


def explain(
    run_or_network: str | Path | Network, examples: Examples, *, cost: CostName = "squared_error"
) -> Explanation:
    """The page of `nn inspect-gradients --html` about a network and examples, to show in a notebook.

    Pass a run directory (its best checkpoint is explained, and its training replayed), a checkpoint file, or a network.
    `cost` is the cost of a network; a run has its own. The page averages over the first 64 examples. Raises
    CheckpointError or RunError for a run that cannot be read, ValueError where the examples do not fit the network, and
    InspectionError where the cost or its gradient is not finite.
    """
    if isinstance(run_or_network, Network):
        name, checkpoint, directory = "network", _as_checkpoint(run_or_network, cost), None
        history = History("as it is", run_or_network, [], None)
    else:
        path = Path(run_or_network)
        file = RunDirectory.open(path).checkpoint("best") if path.is_dir() else path
        run = file.parent.parent
        name, checkpoint = path.name, load_checkpoint(file)
        directory = run if RunDirectory(run).exists else None
        history = read_history(checkpoint, directory)
    config, state = checkpoint.config, checkpoint.state
    chosen = range(min(BATCH, len(examples)))
    inspection = Inspection(checkpoint.network, COSTS[config.cost], examples[np.array(chosen)], list(chosen))
    report = make_report(name, config, inspection, epoch=state.epoch, is_trained=bool(state.epoch or state.step))
    return Explanation(name, render_page(report, examples, history))


def _as_checkpoint(network: Network, cost: CostName) -> Checkpoint:
    """A checkpoint of a network alone, with a configuration that describes it."""
    config = Config.model_validate(
        {
            "dtype": str(network.parameters.dtype),
            "cost": cost,
            "network": {
                "sizes": list(network.sizes),
                "activation": network.activation[1].name,
                "output": network.activation[network.L].name,
            },
        }
    )
    state = initial_state(config)
    state.network.parameters[:] = network.parameters
    return Checkpoint(config, state)
