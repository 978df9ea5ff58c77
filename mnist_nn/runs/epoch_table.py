"""CSV files that grow with every epoch, such as metrics.csv."""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_scripts.files import append_durably, read_regular, write_atomically

from ..errors import RunError

MAX_BYTES = 256 << 20  # a million epochs of metrics take half of this

Row = dict[str, str]


@dataclass
class EpochTable:
    """A CSV file with `rows_per_epoch` rows for each epoch, in order. Every row begins with the number of its epoch."""

    file: Path
    columns: Sequence[str]
    first_epoch: int
    rows_per_epoch: int = 1
    _content: bytearray = field(default_factory=bytearray, init=False, repr=False)  # as last written here

    def read(self) -> list[Row]:
        """The rows of all complete epochs. A last epoch that was cut off is left out.

        Raises OSError, ValueError or csv.Error where the file cannot be read or is damaged.
        """
        content = read_regular(self.file, MAX_BYTES)
        whole = content[: content.rfind(b"\n") + 1]
        text = whole.decode("utf-8")
        lines = [line for line in csv.reader(io.StringIO(text), strict=True) if line][1:]
        lengths = {len(line) for line in lines}
        if lengths - {len(self.columns)} or text.partition("\n")[0] != ",".join(self.columns):
            raise ValueError(f"its columns are not {','.join(self.columns)}")
        rows = [dict(zip(self.columns, line, strict=True)) for line in lines]
        counted = [str(self.first_epoch + i // self.rows_per_epoch) for i in range(len(rows))]
        if [row["epoch"] for row in rows] != counted:
            raise ValueError(f"its epochs do not count from {self.first_epoch}")
        return rows[: len(rows) - len(rows) % self.rows_per_epoch]

    def write(self, rows: list[Row]) -> None:
        """Replace the whole file by these rows."""
        self._content = bytearray(f"{','.join(self.columns)}\n{self._as_csv(rows)}".encode())
        write_atomically(self.file, bytes(self._content))

    def append(self, rows: list[Row]) -> None:
        """Add the rows of one more epoch to the file.

        If the file was cut or removed since `write` or the last `append`, it is written anew.
        """
        added = self._as_csv(rows).encode()
        before = len(self._content)
        self._content += added
        try:
            is_as_left = self.file.stat().st_size == before
        except FileNotFoundError:
            is_as_left = False
        if is_as_left:
            append_durably(self.file, added)
        else:
            write_atomically(self.file, bytes(self._content))

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
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise RunError(f"{self.file}: is damaged, or cannot be read: {reason}") from None

    def _as_csv(self, rows: list[Row]) -> str:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self.columns, lineterminator="\n").writerows(rows)
        return text.getvalue()
