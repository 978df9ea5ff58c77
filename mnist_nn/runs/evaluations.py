"""evaluations.csv: every evaluation of a run's networks, with what was opened, when, and with what result.

So it shows whether the test set was opened, and for which network.
"""

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data_scripts.files import read_regular, write_atomically

from ..configuration.messages import first_problem, shorten
from ..errors import RunError
from .run_directory import RunDirectory

MAX_BYTES = 4 << 20  # some 15,000 evaluations
PATIENCE = 10.0  # seconds to wait for another evaluation, which takes an instant to write its row

Split = Literal["test", "validation", "train"]


class RecordedEvaluation(BaseModel):
    """A row of evaluations.csv: a network of the run, measured on one split of some examples.

    `sha256` is the digest of the examples before any deslanting, so it is the same for all networks that read them.
    `networks` were measured together, and `committee_accuracy` is that of their committee, None for one alone. `cost`
    is None where it is not finite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    time: str = Field(pattern=r"^[0-9T:.+-]{10,40}$")  # UTC, as ISO 8601
    split: Split
    checkpoint: Literal["best", "last"]
    epoch: int = Field(ge=0, lt=2**53)
    source: str = Field(pattern=r"^[a-z]{1,20}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    examples: int = Field(ge=1, lt=2**53)
    correct: int = Field(ge=0, lt=2**53)
    accuracy: float = Field(ge=0, le=1)
    cost: float | None = Field(allow_inf_nan=False)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    networks: int = Field(1, ge=1, lt=2**53)
    committee_accuracy: float | None = Field(None, ge=0, le=1)

    @field_validator("cost", "committee_accuracy", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _accuracy_is_the_share(self) -> "RecordedEvaluation":
        if not math.isclose(self.accuracy, self.correct / self.examples, abs_tol=1e-6):
            raise ValueError(f"accuracy {self.accuracy} is not {self.correct} / {self.examples}")
        return self


COLUMNS = tuple(RecordedEvaluation.model_fields)


def evaluations_file(run: RunDirectory) -> Path:
    return run.path / "evaluations.csv"


def read_evaluations(run: RunDirectory) -> list[RecordedEvaluation]:
    """The evaluations of a run, in the order in which they were made. Empty where there is no evaluations.csv.

    Raises RunError where the file cannot be read or is damaged.
    """
    file = evaluations_file(run)
    try:
        content = read_regular(file, MAX_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _damaged(file, error.strerror or str(error)) from None
    try:
        header, *lines = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        if tuple(header) != COLUMNS:
            raise ValueError(f"its columns are not {','.join(COLUMNS)}")
        if any(len(line) != len(COLUMNS) for line in lines):
            raise ValueError(f"a row has not {len(COLUMNS)} values")
        return [RecordedEvaluation.model_validate(dict(zip(COLUMNS, line, strict=True))) for line in lines]
    except ValidationError as error:
        raise _damaged(file, first_problem(error)) from None
    except (ValueError, csv.Error) as error:
        raise _damaged(file, shorten(str(error), 200) if content else "it is empty") from None


def record_evaluation(run: RunDirectory, evaluation: RecordedEvaluation) -> None:
    """Add a row to evaluations.csv. The file is replaced as a whole, so a crash or a full disk leaves the old one.

    Evaluations at the same time wait for each other, and no row is lost. Raises RunError where the file is damaged or
    cannot be written.
    """
    file, lock = evaluations_file(run), FileLock(run.path / ".evaluations.lock")
    try:
        with lock.acquire(timeout=PATIENCE):
            content = _as_csv([*read_evaluations(run), evaluation])
            if len(content) > MAX_BYTES:
                raise RunError(f"{file}: is full, with {MAX_BYTES:,} bytes; move it elsewhere to begin a new one")
            write_atomically(file, content)
    except Timeout:
        raise RunError(f"{file}: cannot be written: another process has held {lock.lock_file} for too long") from None
    except OSError as error:
        raise RunError(f"{file}: cannot be written: {error.strerror or error}") from None


def _as_csv(evaluations: Iterable[RecordedEvaluation]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([evaluation.model_dump().values() for evaluation in evaluations])
    return text.getvalue().encode()


def _damaged(file: Path, reason: str) -> RunError:
    return RunError(f"{file}: is damaged, or cannot be read: {reason}; restore it, or move it elsewhere")
