"""Training watched: what is wrong with the gradient is said while the network trains, each kind of finding once."""

from typing import TYPE_CHECKING

from .runs import shell_quoted

if TYPE_CHECKING:
    from mnist_nn import Config, Examples
    from mnist_nn.explaining.diagnosis import Finding
    from mnist_nn.runs.run_directory import RunDirectory
    from mnist_nn.training.loop import Progress
    from mnist_nn.training.state import TrainingState

    from .progress import TrainingDisplay

SAMPLE = 256  # training examples on which the gradient is measured
MAX_PARAMETERS = 10_000_000  # of a network that is watched: a larger one would need seconds and gigabytes
MAX_ACTIVATIONS = 4_000_000  # of all neurons for all examples of the sample
FIRST_EPOCHS = 3  # are all watched; then epochs 4, 8, 16 … and the last


class Watch:
    """Measures the gradient at the end of epochs, on a fixed sample, and warns of what is wrong.

    It reads the network and changes nothing, so the training has the same bits with and without it.
    """

    def __init__(
        self, config: "Config", state: "TrainingState", training: "Examples", display: "TrainingDisplay"
    ) -> None:
        import numpy as np

        self._config, self._state, self._display = config, state, display
        self._said: dict[str, Finding] = {}
        n = min(SAMPLE, len(training), MAX_ACTIVATIONS // sum(config.network.sizes))
        if state.network.parameters.size > MAX_PARAMETERS:
            n = 0
        self._rows = np.linspace(0, len(training) - 1, n).astype(np.intp)  # spread out: examples may be sorted
        self._sample = training[self._rows]

    def show(self, report: "Progress") -> None:
        """Show the report. If it ends an epoch that is watched, warn of what is wrong and was not said before."""
        self._display.show(report)
        if report.result and len(self._rows) and self._is_watched(report.epoch):
            for finding in self._findings():
                if finding.kind not in self._said:
                    self._display.warn(f"after epoch {report.epoch}: {finding.text}")
                self._said[finding.kind] = finding

    def _is_watched(self, epoch: int) -> bool:
        is_power = epoch & (epoch - 1) == 0
        return epoch <= FIRST_EPOCHS or is_power or self._state.is_finished(self._config.training)

    def _findings(self) -> "list[Finding]":
        from mnist_nn import COSTS
        from mnist_nn.errors import InspectionError
        from mnist_nn.explaining.diagnosis import diagnose, facts_of
        from mnist_nn.explaining.inspection import Inspection

        config = self._config
        try:
            inspection = Inspection(
                self._state.network, COSTS[config.cost], self._sample, [int(row) for row in self._rows]
            )
        except InspectionError:  # training is about to diverge, and says it
            return []
        init = config.network.init if isinstance(config.network.init, str) else None
        return diagnose(facts_of(inspection, config.training.learning_rate, initialization=init))

    def way_out(self, run: "RunDirectory") -> str:
        """Return the command that trains with the setting that the first finding suggests. Empty without one."""
        suggestions = [finding.suggestion for finding in self._said.values() if finding.suggestion]
        if not suggestions:
            return ""
        return f"nn train {shell_quoted(run.config_file)} --set {suggestions[0].text}"
