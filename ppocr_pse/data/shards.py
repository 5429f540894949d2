"""One part of many of the same work, for job arrays: which pictures are its own, and what its files are called."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count``, counted from 0 as Slurm arrays and indexed Kubernetes jobs do by default.

    A picture's name alone decides which part it belongs to, so parts agree without talking to each other, whenever and
    wherever they run, and a picture that is added or removed moves no other.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.index < self.count:
            most = max(self.count, 1)
            raise ValueError(
                f"the shard is {self.index}/{self.count}, expected I/N with I from 0: 0/{most} to {most - 1}/{most} "
                f"(a Slurm array is then --array=0-{most - 1})"
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``I/N``.

        Raises:
            ValueError: if it is anything else, or I is not one of 0 to N - 1.
        """
        numbers = re.fullmatch(r"\s*([0-9]+)\s*/\s*([0-9]+)\s*", text)
        if numbers is None:
            raise ValueError(f"the shard is {text!r}, expected I/N with I from 0, such as 0/4")
        return cls(int(numbers[1]), int(numbers[2]))

    def holds(self, name: str) -> bool:
        """Whether a name belongs to this part: by SHA-256 of its bytes, the same in every process and Python."""
        digest = hashlib.sha256(os.fsencode(name)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index

    @property
    def label(self) -> str:
        """``shard-I-of-N``, as it stands in the names of its files."""
        return f"shard-{self.index}-of-{self.count}"

    def file(self, path: Path) -> Path:
        """Name this part's own of a run's files: ``results.txt`` becomes ``results.shard-0-of-4.txt``."""
        return path.with_name(f"{path.stem}.{self.label}{path.suffix}")
