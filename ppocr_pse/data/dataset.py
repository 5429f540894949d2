"""Annotations and a transform chain to samples: one key in, one training item or one named fault out."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppocr_pse.data.chain import TrainChain, TrainItem
from ppocr_pse.data.labels import LabelError, LabelFile
from ppocr_pse.data.preprocess import ImageError
from ppocr_pse.data.reader.sampler import Key
from ppocr_pse.types import Annotation


@dataclass(frozen=True)
class SampleFault:
    """A picture that could not be used, and why."""

    source: str
    message: str


class PseDataset:
    """Annotations with their transform chain; looked up by (epoch, index), see Key.

    Args:
        annotations: usable lines of all label files.
        chain: the training transforms.
        seed: start of every random stream: item (epoch, index) draws from default_rng((seed, epoch, index)).
    """

    def __init__(self, annotations: Sequence[Annotation], chain: TrainChain, seed: int) -> None:
        self.annotations = tuple(annotations)
        self.chain = chain
        self.seed = seed

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.annotations)

    def __getitem__(self, key: Key) -> TrainItem | SampleFault:
        """Make one item, or tell why it cannot be made: no other picture takes its place."""
        annotation = self.annotations[key[1] % len(self.annotations)]
        rng = np.random.default_rng((self.seed, *key))
        try:
            return self.chain(annotation, rng)
        except (ImageError, LabelError) as error:
            reason = str(error)
        except MemoryError as error:
            reason = f"{annotation.image}: not enough memory to read it ({error})"
        except Exception as error:  # one picture does not end the run, but this must be found again
            reason = f"{annotation.image}: unexpected {type(error).__name__} in {_place_of(error)}: {error}"
        return SampleFault(str(annotation.image), f"{annotation.source}: {reason}")

    def name(self, key: Key) -> str:
        """Picture and label line of a key, for messages."""
        annotation = self.annotations[key[1] % len(self.annotations)]
        return f"{annotation.image} ({annotation.source})"


def _place_of(error: Exception) -> str:
    """``FILE:LINE (FUNCTION)`` of the last line of this package that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "ppocr_pse" in Path(frame.filename).parts] or frames
    return f"{ours[-1].filename}:{ours[-1].lineno} ({ours[-1].name})"


@dataclass(frozen=True)
class AnnotationPool:
    """The lines of several label files, with what was left out and how much of each file an epoch takes.

    Attributes:
        annotations: the usable lines of all files, in order.
        shares: (number of lines, ratio) of each file.
        problems: a message for each label or picture that was left out, starting with ``FILE:LINE``.
    """

    annotations: tuple[Annotation, ...]
    shares: tuple[tuple[int, float], ...]
    problems: tuple[str, ...]


def pool_annotations(files: Sequence[LabelFile], ratios: Sequence[float], drop_missing: bool) -> AnnotationPool:
    """Put label files together and look whether their pictures exist.

    Args:
        files: what was read.
        ratios: share of each file that an epoch takes; above 1 repeats.
        drop_missing: leave lines out whose picture does not exist (training); evaluation keeps them,
            since their texts count as missed.

    Raises:
        LabelError: if no picture of any file exists.
    """
    annotations: list[Annotation] = []
    problems: list[str] = []
    shares = []
    missing = 0
    for file, ratio in zip(files, ratios, strict=False):
        problems.extend(file.problems)
        before = len(annotations)
        for annotation in file.annotations:
            if not annotation.image.is_file():
                missing += 1
                problems.append(f"{annotation.source}: no picture at {annotation.image}")
                if drop_missing:
                    continue
            annotations.append(annotation)
        shares.append((len(annotations) - before, ratio))
    total = sum(len(file.annotations) for file in files)
    if total and missing == total:
        first = files[0].annotations[0]
        raise LabelError(
            f"none of the {total} pictures exists; the first would be {first.image} ({first.source}). "
            "Check data_dir: picture paths in the label file are relative to it"
        )
    return AnnotationPool(tuple(annotations), tuple(shares), tuple(problems))
