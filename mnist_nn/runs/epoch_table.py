"""CSV files that grow by epochs, such as metrics.csv."""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_scripts.files import append_durably, write_atomically

from ..errors import RunError

Row = dict[str, str]


@dataclass(frozen=True)
class EpochTable:
    """A CSV file that grows by epochs, in order: as many rows for each, which begin with its number."""

    file: Path
    columns: Sequence[str]
    first_epoch: int
    rows_per_epoch: int = 1

    def read(self) -> list[Row]:
        """Its rows, without those of a last epoch that was cut off. Raises OSError, ValueError or csv.Error."""
        content = self.file.read_text(encoding="utf-8")
        whole = content[: content.rfind("\n") + 1]
        rows = list(csv.DictReader(io.StringIO(whole), strict=True))
        uneven = any(set(row) != set(self.columns) or None in row.values() for row in rows)
        if uneven or whole.partition("\n")[0] != ",".join(self.columns):
            raise ValueError(f"its columns are not {','.join(self.columns)}")
        if any(row["epoch"] != str(self.first_epoch + i // self.rows_per_epoch) for i, row in enumerate(rows)):
            raise ValueError(f"its epochs do not count from {self.first_epoch}")
        return rows[: len(rows) - len(rows) % self.rows_per_epoch]

    def write(self, rows: list[Row]) -> None:
        """The file anew, with these rows."""
        write_atomically(self.file, f"{','.join(self.columns)}\n{self._as_csv(rows)}".encode())

    def append(self, rows: list[Row]) -> None:
        """The rows of one more epoch."""
        append_durably(self.file, self._as_csv(rows).encode())

    def go_on_after(self, epoch: int, rows: list[Row]) -> None:
        """Keep those of `rows` that belong to epochs up to this one. Raises RunError where some are missing."""
        count = (epoch + 1 - self.first_epoch) * self.rows_per_epoch
        if len(rows) < count:
            raise RunError(f"{self.file}: lacks epochs that the last checkpoint has behind it")
        self.write(rows[:count])

    @contextlib.contextmanager
    def damage_named(self) -> Iterator[None]:
        """What is wrong with the content becomes a RunError that names the file."""
        try:
            yield
        except (OSError, ValueError, csv.Error) as error:
            raise RunError(f"{self.file}: is damaged, or cannot be read: {error}") from None

    def _as_csv(self, rows: list[Row]) -> str:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self.columns, lineterminator="\n").writerows(rows)
        return text.getvalue()
