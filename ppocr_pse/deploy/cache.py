"""Exports that are made by themselves at first use, kept beside the checkpoint and known by their content.

A folder ``NAME.engine-KEY`` is a whole export. KEY is a digest of the weights, the architecture and the versions
involved, so that another checkpoint under the same name, or another Paddle, never meets an old export. The folder
appears by one rename; whoever comes second uses the first one's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ppocr_pse.deploy.digests import file_digest
from ppocr_pse.deploy.spec import read_spec
from ppocr_pse.schema import ConfigError

KEPT = 3
"""Exports of one checkpoint name that are kept; ``latest`` changes with every epoch."""

STALE_SECONDS = 3600.0
"""Age from which an unfinished folder is a dead process's."""

LOGGER = logging.getLogger("ppocr")


def cache_key(weights: str, architecture: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Twelve hex digits that stand for what an export is made of.

    Args:
        weights: digest of the tensors.
        architecture: the Architecture section.
        versions: of all that takes part in an export.
    """
    content = json.dumps([weights, architecture, dict(versions)], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def user_cache() -> Path:
    """Where exports go when the checkpoint's own folder cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ppocr_pse"


def cached(checkpoint: Path, key: str, make: Callable[[Path], object]) -> Path:
    """Find an export, or make it.

    Args:
        checkpoint: ``DIR/NAME``; the export lies in ``DIR``, or in the user's cache when that is read-only.
        key: see `cache_key`.
        make: writes an export into the empty folder that it is given.

    Returns:
        A folder with a whole export.

    Raises:
        OSError: if neither folder can be written.
    """
    name = f"{checkpoint.name}.engine-{key}"
    homes = [checkpoint.parent, user_cache()]
    for home in homes:
        if is_whole(home / name):
            _touch(home / name)
            return home / name
    writable = [home for home in homes if _is_writable(home)]
    if not writable:
        raise OSError(f"no place for the engine's files: neither {homes[0]} nor {homes[1]} can be written")
    home = writable[0]
    target = home / name
    with _one_at_a_time(home / f".{name}.lock"):
        if is_whole(target):  # another process made it meanwhile
            return target
        LOGGER.info(f"first use of these weights with an engine; exporting them to {target}")
        _remove_stale(home, checkpoint.name)
        staging = Path(tempfile.mkdtemp(prefix=f".{checkpoint.name}.engine-", dir=home))
        try:
            staging.chmod(0o755)
            make(staging)
            _put(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        _remove_old(home, checkpoint.name, target)
    return target


def is_whole(folder: Path) -> bool:
    """Whether a folder holds an export whose files are as they were written; what is wrong is logged."""
    if not folder.is_dir():
        return False
    try:
        spec = read_spec(folder)
        wrong = [name for name, digest in spec.facts.files.items() if file_digest(folder / name) != digest]
    except (ConfigError, OSError) as error:
        LOGGER.warning(f"{folder} cannot be used and is made again: {error}")
        return False
    if wrong or not spec.facts.files:
        LOGGER.warning(f"{folder} was damaged ({', '.join(wrong) or 'no digests'}) and is made again")
        return False
    return True


def _put(staging: Path, target: Path) -> None:
    """Rename the finished folder to its place; a damaged one that stands there makes way."""
    if target.is_dir() and not is_whole(target):
        doomed = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        with contextlib.suppress(FileNotFoundError):
            target.rename(doomed / "old")
        shutil.rmtree(doomed, ignore_errors=True)
    try:
        staging.rename(target)
    except OSError:
        if not is_whole(target):  # otherwise another process was first, with the same content
            raise


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def _one_at_a_time(file: Path) -> Iterator[None]:
    """Let one process export while the others wait; where files cannot be locked each exports, which is safe too."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            handle = stack.enter_context(file.open("w"))
            stack.callback(file.unlink, missing_ok=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _touch(folder: Path) -> None:
    """Mark as used just now, for `_remove_old`."""
    with contextlib.suppress(OSError):
        os.utime(folder)


def _remove_old(home: Path, name: str, current: Path) -> None:
    folders = [folder for folder in home.glob(f"{_literal(name)}.engine-*") if folder.is_dir() and folder != current]
    for folder in sorted(folders, key=_last_use, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_stale(home: Path, name: str) -> None:
    for folder in home.glob(f".{_literal(name)}.engine-*"):
        if folder.is_dir() and time.time() - _last_use(folder) > STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _literal(name: str) -> str:
    """A file name for glob, whatever characters it has."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
