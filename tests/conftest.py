"""Shared fixtures: the command, small digits on disk, and the real MNIST if it is available."""

import os
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_scripts.idx import write_idx
from data_scripts.synthetic import draw_digits

pytest_plugins = ["browsing"]  # the fixtures that need a browser

ROOT = Path(__file__).resolve().parent.parent

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="needs Numba: pip install numba")


@dataclass
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The last line, which must be the only `Error:` line of a failed command."""
        lines = self.err.splitlines()
        assert lines, "nothing on stderr"
        assert lines[-1].startswith("Error: "), self.err
        assert sum("Error" in line for line in lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[-1]


Command = Callable[..., Outcome]


def pytest_configure() -> None:
    """Forget the width that the terminal, or pytest-xdist, has set: it would change what commands print."""
    os.environ.pop("COLUMNS", None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print each reason for skipping once, with the number of tests it skipped."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")


@pytest.fixture(scope="session", autouse=True)
def _compiled_steps_of_the_tests(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep compiled steps from one session to the next, in pytest's own cache and not in the user's."""
    cache = getattr(pytestconfig, "cache", None)  # not there where pytest runs without its cache
    directory = cache.mkdir("compiled") if cache else tmp_path_factory.mktemp("compiled")
    os.environ["NUMBA_CACHE_DIR"] = str(directory)


@pytest.fixture
def nn(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in this process, through its entry point."""
    (script,) = entry_points(group="console_scripts", name="nn")
    main = script.load()

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(int(exit_.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def nn_process() -> Callable[..., "subprocess.Popen[str]"]:
    """Start the installed command as a separate process."""
    script = Path(sysconfig.get_path("scripts")) / "nn"

    def start(*arguments: object, **options: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(script), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,  # type: ignore[call-overload]
        )

    return start


@pytest.fixture(autouse=True)
def _own_working_and_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test its own directories for runs and caches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with four IDX files: 300 drawn digits for training, 100 for testing."""
    directory = tmp_path_factory.mktemp("digits")
    for split, prefix, count in (("train", "train", 300), ("test", "t10k", 100)):
        images, labels = draw_digits(count, 7, split)
        write_idx(directory / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(directory / f"{prefix}-labels-idx1-ubyte", labels)
    return directory


@pytest.fixture
def small(digits: Path, tmp_path: Path) -> Path:
    """A configuration that trains very quickly, with momentum and a smaller last batch."""
    file = tmp_path / "small.yaml"
    file.write_text(
        f"""\
data:
  source: idx
  dir: {digits}
  validation: 50
network:
  sizes: [784, 12, 10]
training:
  epochs: 3
  batch_size: 16
  learning_rate: 0.5
  momentum: 0.5
  schedule: constant
"""
    )
    return file


@pytest.fixture(scope="session")
def real_mnist() -> Path:
    """The directory with the IDX files of the real MNIST."""
    directory = os.environ.get("NN_TEST_MNIST")
    if not directory:
        pytest.skip("needs the real MNIST: set NN_TEST_MNIST to a directory with its four IDX files")
    return Path(directory)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)
