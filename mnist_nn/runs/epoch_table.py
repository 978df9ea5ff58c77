"""CSV files that grow with every epoch, such as metrics.csv."""

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
    """A CSV file with `rows_per_epoch` rows for each epoch, in order. Every row begins with the number of its epoch."""

    file: Path
    columns: Sequence[str]
    first_epoch: int
    rows_per_epoch: int = 1

    def read(self) -> list[Row]:
        """The rows of all complete epochs. A last epoch that was cut off is left out.

        Raises OSError, ValueError or csv.Error where the file cannot be read or is damaged.
        """
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
        """Replace the whole file by these rows."""
        write_atomically(self.file, f"{','.join(self.columns)}\n{self._as_csv(rows)}".encode())

    def append(self, rows: list[Row]) -> None:
        """Add the rows of one more epoch to the file."""
        append_durably(self.file, self._as_csv(rows).encode())

    def truncate_after(self, epoch: int, rows: list[Row]) -> None:
        """Write the file with only those `rows` that belong to epochs up to this one.

        Raises RunError where rows of these epochs are missing.
        """
        count = (epoch + 1 - self.first_epoch) * self.rows_per_epoch
        if len(rows) < count:
            raise RunError(f"{self.file}: has fewer epochs than the last checkpoint; restore the file, or train anew")
        self.write(rows[:count])

    @contextlib.contextmanager
    def damage_named(self) -> Iterator[None]:
        """Turn any error about the file's content into a RunError that names the file."""
        try:
            yield
        except (OSError, ValueError, csv.Error) as error:
            raise RunError(f"{self.file}: is damaged, or cannot be read: {error}") from None

    def _as_csv(self, rows: list[Row]) -> str:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self.columns, lineterminator="\n").writerows(rows)
        return text.getvalue()
