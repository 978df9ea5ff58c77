"""What `data_scripts` raises. Each message is one line: the value, the place, the reason, the way out."""


class DataError(Exception):
    """Digits that cannot be read, fetched or trusted."""


class DownloadError(DataError):
    """No mirror gave the right bytes in time."""
