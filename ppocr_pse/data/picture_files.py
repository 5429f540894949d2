"""Which pictures a file, a folder or a pattern stands for."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from ppocr_pse.data.line_names import printable

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp")
RARE_SUFFIXES = (".avif", ".heic", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm")  # .heic: to be named, not read
PICTURE_SUFFIXES = frozenset((*PHOTO_SUFFIXES, *RARE_SUFFIXES))
WILD = re.compile(r"[*?[]")


def find_pictures(place: Path, recursive: bool = False) -> list[Path]:
    """List what a path stands for, sorted by name: nothing that is called like a picture is passed over in silence.

    Dangling links are listed, and so are folders that are called like a picture (with ``recursive`` only when they
    hold none) and folders that cannot be looked into: reading them names what is wrong with them. Links to folders
    are not followed.

    Args:
        place: a file (taken whatever its ending is), a folder, or a pattern with ``*``, ``?``, ``[...]`` or ``**``,
            which stands for the files that a shell would put in its place, and for the pictures in such folders.
        recursive: look into folders inside the folder too.

    Raises:
        FileNotFoundError: if there is no such file or folder, it cannot be looked into, it holds no picture, or
            nothing matches the pattern.
    """
    mode = _mode(place)
    if stat.S_ISREG(mode):
        return [place]
    if stat.S_ISDIR(mode):
        return _in_folder(place, recursive)
    if mode or not WILD.search(os.fspath(place)):
        raise FileNotFoundError(f"there is no file or folder {printable(place)}")
    matches = sorted(set(_matches(place)))
    if not matches:
        raise FileNotFoundError(f"nothing matches the pattern {printable(place)}")
    inside = (_walk(match, recursive) if match.is_dir() else (match,) for match in matches)
    return list(dict.fromkeys(path for paths in inside for path in paths))


def folder_of(place: Path) -> Path | None:
    """Where a folder or a pattern starts; None for anything else."""
    try:
        mode = _mode(place)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        return place
    return _split(place)[0] if not mode and WILD.search(os.fspath(place)) else None


def _mode(place: Path) -> int:
    """What a path is, as os.stat has it; 0 when it is not there."""
    try:
        return place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise FileNotFoundError(f"cannot look into {printable(place)} ({error.strerror})") from None


def _in_folder(folder: Path, recursive: bool) -> list[Path]:
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise FileNotFoundError(f"cannot look into {printable(folder)} ({error.strerror})") from None
    pictures = list(_walk(folder, recursive))
    if not pictures:
        below = "" if recursive else "; folders inside it are looked into with --recursive only"
        endings = ", ".join(sorted(PICTURE_SUFFIXES))
        raise FileNotFoundError(f"the folder {printable(folder)} holds no picture (endings {endings}){below}")
    return pictures


def _walk(top: Path, recursive: bool) -> Iterator[Path]:
    """Pictures in a folder, depth first by name, however deep it is: a folder's come at the place of its own name."""
    given = 0
    enter, leaf = -1, -2  # any other number: what was given before a folder that is called like a picture was entered
    waiting: list[tuple[Path, int]] = [(top, enter)]
    while waiting:
        path, state = waiting.pop()
        if state in (leaf, given):
            given += 1
            yield path
        if state != enter:
            continue
        if path != top and _is_called_so(path.name):
            waiting.append((path, given))
        try:
            with os.scandir(path) as entries:
                inside = sorted(((entry.name, _is_folder(entry)) for entry in entries), reverse=True)
        except OSError:
            given += 1
            yield path
            continue
        for name, folder in inside:
            if folder and recursive:
                waiting.append((path / name, enter))
            elif _is_called_so(name):
                waiting.append((path / name, leaf))


def _matches(pattern: Path) -> Iterator[Path]:
    """What a shell makes of a pattern: a leading dot is matched by a dot only, and ``**`` follows no links."""
    waiting = [_split(pattern)]
    while waiting:
        folder, (head, *rest) = waiting.pop()
        if head == "**":
            rest = rest or ["*"]
            waiting.append((folder, rest))
        try:
            with os.scandir(folder) as entries:
                inside = [(entry.name, _is_folder(entry)) for entry in entries]
        except NotADirectoryError:
            continue
        except OSError:
            yield folder  # reading it names what is wrong with it
            continue
        for name, is_folder in inside:
            if head == "**":
                waiting += [(folder / name, ["**", *rest])] if is_folder and not name.startswith(".") else []
            elif fnmatch.fnmatchcase(name, head) and (head.startswith(".") or not name.startswith(".")):
                if not rest:
                    yield folder / name
                elif is_folder or (folder / name).is_dir():
                    waiting.append((folder / name, rest))


def _split(pattern: Path) -> tuple[Path, list[str]]:
    """The folders before the first wildcard, and the parts from there on."""
    first = next(number for number, part in enumerate(pattern.parts) if WILD.search(part))
    return Path(*pattern.parts[:first]), list(pattern.parts[first:])


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_called_so(name: str) -> bool:
    return Path(name).suffix.lower() in PICTURE_SUFFIXES
