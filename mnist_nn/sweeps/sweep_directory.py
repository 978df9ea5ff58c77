"""The directory of a sweep: the plan, and a run directory for each trial.

plan.yaml     the plan with complete configurations
<digest>/     the run of one trial, named by a digest of its configuration
.lock         locked by the command that runs the sweep
.stop         there while the command asks all trials to save their state and stop
"""

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote as shell_quoted

from data_scripts.files import create_directory, remove_leftovers, write_atomically

from ..configuration.changes import changes
from ..configuration.messages import quote
from ..configuration.reader import MAX_BYTES
from ..errors import ConfigError, RunError
from ..runs.lock import is_locked, locked
from ..runs.run_directory import RunDirectory
from .plan import Plan, Trial
from .plan_file import plan_text, read_unchanged


@dataclass(frozen=True)
class SweepDirectory:
    """The paths and files of one sweep."""

    path: Path

    @property
    def plan_file(self) -> Path:
        return self.path / "plan.yaml"

    @property
    def stop_file(self) -> Path:
        return self.path / ".stop"

    @property
    def exists(self) -> bool:
        """Whether the directory holds a sweep."""
        return self.plan_file.is_file()

    @property
    def _lock(self) -> Path:
        return self.path / ".lock"

    def run(self, trial: Trial) -> RunDirectory:
        """The run directory of a trial."""
        return RunDirectory(self.path / trial.name)

    @classmethod
    def create(cls, path: Path, plan: Plan) -> "SweepDirectory":
        """Make the directory of a new sweep. It appears at once, with its plan.

        Raises RunError where the directory exists already or cannot be made, ConfigError where the plan is too long.
        """
        sweep, content = cls(path), plan_text(plan).encode()
        if len(content) > MAX_BYTES:
            raise ConfigError(
                f"the plan takes {len(content):,} bytes, and at most {MAX_BYTES:,} are read back; split it"
            )
        try:
            if path.exists() or path.is_symlink():
                raise FileExistsError
            if path.parent.is_file():
                raise NotADirectoryError(errno.ENOTDIR, f"{path.parent} is a file")
            path.parent.mkdir(parents=True, exist_ok=True)
            with create_directory(path) as temporary:
                write_atomically(cls(temporary).plan_file, content)
        except FileExistsError:
            raise RunError(f"{path}: exists already; {sweep._way_out(plan)}") from None
        except OSError as error:
            raise RunError(f"{path}: the sweep cannot be made: {error.strerror}; choose another --name") from None
        return sweep

    def _way_out(self, plan: Plan) -> str:
        """What to do where a sweep of this name exists: continue it if its plan is the same."""
        if not self.exists:
            return "choose another --name"
        with contextlib.suppress(ConfigError):
            there = read_unchanged(self.plan_file)
            different = next(changes(plan.model_dump(), there.model_dump()), None)
            if different is None:
                return f"it has this plan: continue it with `nn sweep --resume {shell_quoted(self.path.name)}`"
            key, asked, found = different
            return f"it has another plan ({key} is {quote(found)}, not {quote(asked)}): choose another --name"
        return "choose another --name"

    @classmethod
    def open(cls, path: Path) -> "SweepDirectory":
        """Open an existing sweep. Raises RunError where there is none."""
        sweep = cls(path)
        if not sweep.exists:
            raise RunError(f"{path}: is not a sweep (it holds no plan.yaml)")
        return sweep

    def plan(self) -> Plan:
        """The plan. Raises ConfigError where it is damaged or was changed."""
        return read_unchanged(self.plan_file)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the sweep for this process, and forget an earlier request to stop.

        At the end remove what killed trials left half made. Raises RunError where another process runs the sweep.
        """
        with locked(self._lock, f"{self.path}: another process runs this sweep; wait for it, or stop it"):
            self.stop_file.unlink(missing_ok=True)
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    self.stop_file.unlink(missing_ok=True)
                    remove_leftovers(self.path)

    def is_held(self) -> bool:
        """Whether a process runs the sweep. False too on a machine that does not see the locks of others."""
        return is_locked(self._lock)

    def ask_to_stop(self) -> None:
        """Ask all trials, wherever they are trained, to save their state and stop. Raises OSError."""
        self.stop_file.touch()

    def is_asked_to_stop(self) -> bool:
        """Whether trials shall save their state and stop."""
        return self.stop_file.exists()
