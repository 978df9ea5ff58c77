"""The exceptions of `data_scripts`. Each message is one line: the place, the value, the reason, and what to do."""


class DataError(Exception):
    """Digits cannot be read, downloaded or trusted."""


class DownloadError(DataError):
    """No mirror sent the right bytes in time."""
