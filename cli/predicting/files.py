"""Picture files as grey arrays. Every file that is not one still picture of a sensible size is refused in one line."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # none of them can run a program, as EPS could
MOST_PIXELS = 50_000_000  # as many as telephones take by default; unpacked they need 200 MB
SMALLEST = 8  # pixels on the shorter side
LONGEST = 2000  # pixels: larger pictures are scaled down to it
AS_IT_IS = (28, 28)
ORIENTATION = 0x0112  # the EXIF tag
HEIF = {b"ftyphei", b"ftyphev", b"ftypmif", b"ftypmsf", b"ftypavi"}  # how HEIC and AVIF files begin, after 4 bytes
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # its values, and the numbers of Pillow's transpositions


class PictureError(click.ClickException):
    """A file is no picture that can be read. The message names the file, the reason and the way out."""


@dataclass(frozen=True)
class Picture:
    """A picture (H, W) of bytes, 0 for black and 255 for white. `size` is the width and height in the file."""

    path: Path
    grey: "NDArray[np.uint8]"
    size: tuple[int, int]

    @property
    def is_mnist_sized(self) -> bool:
        return self.size == AS_IT_IS


def read_picture(path: Path) -> Picture:
    """Read a picture as grey levels, turned as its EXIF data say, with at most LONGEST pixels a side.

    Raises PictureError.
    """
    import struct
    import zlib

    from PIL import Image, UnidentifiedImageError

    if not path.exists():
        raise PictureError(f"{path}: there is no such file")
    if not path.is_file():
        raise PictureError(f"{path}: is not a file; name one picture or several, such as {path / '*.jpg'}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF data, and of sizes that are checked here
            with Image.open(path, formats=FORMATS) as image:
                _check(path, image)
                size, turn = image.size, TURNS.get(image.getexif().get(ORIENTATION, 1))
                image.draft("L", (LONGEST, LONGEST))  # a large JPEG is unpacked in half its size or less
                return Picture(path, _grey(image, turn), size)
    except UnidentifiedImageError:
        if _is_heif(path):
            raise PictureError(
                f"{path}: is a HEIC or AVIF picture, which nn cannot read; save or send it as JPEG "
                "(iPhone: Settings, Camera, Formats, Most Compatible)"
            ) from None
        known = "PNG, JPEG, WebP, BMP, GIF, TIFF or PPM"
        raise PictureError(f"{path}: is not a picture that nn can read; save it as {known}") from None
    except Image.DecompressionBombError:
        raise PictureError(_too_large(path, "far more")) from None
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error) as error:
        if isinstance(error, OSError) and error.strerror:
            raise PictureError(f"{path}: cannot be read: {error.strerror}; name another picture") from None
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise PictureError(f"{path}: is damaged: {reason}; save or send the picture again") from None


def _is_heif(path: Path) -> bool:
    """Whether a file begins as the pictures of many telephones do."""
    with path.open("rb") as file:
        return file.read(11)[4:] in HEIF


def _check(path: Path, image: "Image.Image") -> None:
    """Raise PictureError for a picture that is too large, too small or moves, before its pixels are unpacked."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise PictureError(_too_large(path, f"{width:,} × {height:,}"))
    if min(width, height) < SMALLEST:
        raise PictureError(f"{path}: has {width} × {height} pixels; a digit needs {SMALLEST} × {SMALLEST} or more")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a telephone's JPEG can hold a preview as a second picture
        raise PictureError(f"{path}: holds {frames} pictures; save one of them as a file of its own")


def _too_large(path: Path, found: str) -> str:
    return f"{path}: has {found} pixels, more than {MOST_PIXELS // 1_000_000} million; make it smaller"


def _grey(image: "Image.Image", turn: int | None) -> "NDArray[np.uint8]":
    """Return the grey levels of a picture: scaled down, then turned."""
    import numpy as np
    from PIL import Image

    grey = _in_bytes(image)
    if max(grey.size) > LONGEST:
        scale = LONGEST / max(grey.size)
        smaller = tuple(max(1, round(length * scale)) for length in grey.size)
        grey = grey.resize((smaller[0], smaller[1]), Image.Resampling.BOX, reducing_gap=2.0)
    if turn is not None:
        grey = grey.transpose(Image.Transpose(turn))
    return np.asarray(grey, np.uint8)


def _in_bytes(image: "Image.Image") -> "Image.Image":
    """Return a picture of any mode in 256 grey levels. What is transparent becomes white, or black below bright ink."""
    import numpy as np
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # 16 bits a pixel, or more
        levels = np.asarray(image, np.float64)
        deep = image.mode.startswith("I;16") or (image.mode == "I" and 255 < levels.max() <= 65535)
        low, high = (0.0, 65535.0) if deep else (levels.min(), levels.max())
        return Image.fromarray(np.rint(255 * (levels - low) / max(high - low, 1e-9)).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        light, alpha = image.convert("LA").split()
        if image.mode not in ("LA", "L"):
            alpha = image.convert("RGBA").getchannel("A")
        if alpha.getextrema() == (255, 255):
            return light
        opaque = np.asarray(alpha, np.float32).sum()
        mean = float((np.asarray(light, np.float32) * np.asarray(alpha, np.float32)).sum() / max(float(opaque), 1.0))
        return Image.composite(light, Image.new("L", image.size, 255 if mean < 128 else 0), alpha)
    return image.convert("L")
