"""The log of a run, on standard output and in a file; importable without Paddle."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from tqdm import tqdm

LOGGER = logging.getLogger("ppocr")


class _TerminalHandler(logging.Handler):
    """Writes above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()


def start_log(file: Path | None = None, quiet: bool = False) -> logging.Logger:
    """Set up the log of this run: standard output, and a file when one is given.

    Args:
        file: opened for appending; its folder is made.
        quiet: leave everything below warnings out (ranks other than 0).
    """
    LOGGER.handlers.clear()
    LOGGER.propagate = False
    LOGGER.setLevel(logging.WARNING if quiet else logging.INFO)
    handlers: list[logging.Handler] = [_TerminalHandler()]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(
            logging.Formatter("[%(asctime)s] %(name)s %(levelname)s: %(message)s", "%Y/%m/%d %H:%M:%S")
        )
        LOGGER.addHandler(handler)
    return LOGGER
