"""`image_folder`: your own images, by class."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from snn5.config import Folder
from snn5.datasets._folder import walk
from snn5.datasets._registry import Entry, Request, register
from snn5.datasets._source import Source, stamp
from snn5.errors import UserError

_BROKEN = (
    *(UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning, struct.error),
    *(IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError, RuntimeError, zlib.error),
)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")


def read_image(path: Path, *, color: bool, size: list[int]) -> np.ndarray:
    """One image as uint8 [C, H, W], C = 3 (red, green, blue) or 1 (grey); the first one of several. An alpha channel is put on black.

    Args:
        path: the file. color: three channels or one.
        size: [H, W] to scale to (bilinear, over the whole of each target pixel); [] leaves it as it is.

    Raises:
        UserError: missing, empty, cut off, no image, or too large to be one (a file that unpacks to more than 180 million pixels).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of truncated files, among others
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                image: Image.Image = opened
                if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                    image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image.convert("RGBA"))
                if image.mode.startswith(("I", "F")):
                    raise UserError(f"{path} has {image.mode} pixels of more than 8 bits; convert it to 8 bits a channel")
                image = image.convert("RGB" if color else "L")
                if size:
                    image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
                pixels = np.asarray(image)
    except _BROKEN as error:
        reason = "0 bytes" if path.is_file() and not path.stat().st_size else str(error)
        raise UserError(f"{path} is truncated or no image ({reason}); copy it again, or take it out of the set") from error
    return np.ascontiguousarray(pixels.transpose(2, 0, 1) if color else pixels[None])


def read_image_folder(request: Request) -> Source:
    """Images uint8 [1, C, H, W]; their size is `folder.size`, or that of the first readable one, which all then must have.

    Raises:
        UserError: see `walk`. Reading a sample: see `read_image`; or, without `folder.size`, it has another size than the first.
    """
    files, settings = walk(request.root, SUFFIXES), request.folder
    channels, (height, width) = 3 if settings.color else 1, _size(files.paths, settings)

    def read(i: int) -> tuple[np.ndarray, int]:
        image_CHW = read_image(files.paths[i], color=settings.color, size=settings.size)
        if image_CHW.shape != (channels, height, width):
            raise UserError(
                f"{files.paths[i]} has {image_CHW.shape[1]}x{image_CHW.shape[2]} pixels, the first image {height}x{width}; "
                "set folder.size: [height, width] in params.yaml to scale all images to it"
            )
        return image_CHW[None], 0

    return Source(
        names=files.names,
        y_N=files.y_N,
        test_N=files.test_N,
        val_N=files.val_N,
        classes=files.classes,
        shape=(1, channels, height, width),
        read=read,
        digest=files.digest,
        stamp=stamp(files.paths, (settings.size, settings.color, files.sums)),
        scale=255,
        info={"channels": ["red", "green", "blue"] if settings.color else ["grey"]},
        root=request.root,
    )


def _size(paths: list[Path], settings: Folder) -> tuple[int, int]:
    if settings.size:
        return settings.size[0], settings.size[1]
    for path in paths:
        try:
            height, width = read_image(path, color=False, size=[]).shape[1:]
        except UserError:
            continue  # a damaged file has its turn when it is read
        return height, width
    raise UserError(f"none of {len(paths)} images can be read, the first is {paths[0]}; they end in {', '.join(SUFFIXES)}")


register(
    Entry(
        name="image_folder",
        kind="frames",
        classes=(),
        source="your own images: data.frames.folder.path",
        licence="your own",
        citation="your own",
        files=f"[train|val|test/]<class>/*{{{','.join(SUFFIXES)}}}",
        loader=read_image_folder,
        own=True,
    )
)
