"""Which files of a folder are pictures."""

from __future__ import annotations

from pathlib import Path

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".jp2"}
)


def find_pictures(place: Path, recursive: bool = False) -> list[Path]:
    """List the pictures that a path stands for, sorted by name.

    Args:
        place: a file (taken whatever its ending is) or a folder.
        recursive: look into folders inside the folder too.

    Raises:
        FileNotFoundError: if there is no such file or folder, or the folder holds no picture.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileNotFoundError(f"there is no file or folder {place}")
    found = place.rglob("*") if recursive else place.iterdir()
    pictures = sorted(path for path in found if path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir())
    if not pictures:
        below = "" if recursive else "; folders inside it are not looked into"
        raise FileNotFoundError(
            f"the folder {place} holds no picture (endings {', '.join(sorted(PICTURE_SUFFIXES))}){below}"
        )
    return pictures
