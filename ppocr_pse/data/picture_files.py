"""Which files of a folder are pictures."""

from __future__ import annotations

import os
from pathlib import Path

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp")
RARE_SUFFIXES = (".avif", ".heic", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm")  # .heic: to be named, not read
PICTURE_SUFFIXES = frozenset((*PHOTO_SUFFIXES, *RARE_SUFFIXES))


def find_pictures(place: Path, recursive: bool = False) -> list[Path]:
    """List what a path stands for, sorted by name: nothing that is called like a picture is passed over in silence.

    Dangling links are listed, and so are folders that are called like a picture (with ``recursive`` only when they
    hold none) and folders that cannot be looked into: reading them names what is wrong with them. Links to folders
    are not followed.

    Args:
        place: a file (taken whatever its ending is) or a folder.
        recursive: look into folders inside the folder too.

    Raises:
        FileNotFoundError: if there is no such file or folder, it cannot be looked into, or it holds no picture.
    """
    try:
        if place.is_file():
            return [place]
        if not place.is_dir():
            raise FileNotFoundError(f"there is no file or folder {place}")
        with os.scandir(place):
            pass
    except PermissionError as error:
        raise FileNotFoundError(f"cannot look into {place} ({error.strerror})") from None
    pictures: list[Path] = []
    closed: list[OSError] = []
    for folder, folders, files in os.walk(place, onerror=closed.append):
        pictures += [Path(folder, name) for name in files + folders if _is_called_so(name)]
        if not recursive:
            break
    pictures += [Path(error.filename) for error in closed]
    if recursive:
        holding = {parent for path in pictures for parent in path.parents}
        pictures = [path for path in pictures if path not in holding]
    if not pictures:
        below = "" if recursive else "; folders inside it are looked into with --recursive only"
        raise FileNotFoundError(
            f"the folder {place} holds no picture (endings {', '.join(sorted(PICTURE_SUFFIXES))}){below}"
        )
    return sorted(set(pictures))


def _is_called_so(name: str) -> bool:
    return Path(name).suffix.lower() in PICTURE_SUFFIXES
