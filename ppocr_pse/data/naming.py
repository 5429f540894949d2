"""Which labelled picture does a name in a results file mean?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Assignment:
    """Names of results, each with the labelled picture that it means.

    Attributes:
        owners: for each name the index of its picture, or -1.
        problems: one message for each name that means no picture, more than one, or one that is taken.
    """

    owners: tuple[int, ...]
    problems: tuple[str, ...]


def picture_number(name: str) -> int | None:
    """The last number in a file name without its ending: 12 for ``a/res_img_12.txt``; None when there is none."""
    found = _NUMBER.findall(_stem(_parts(name)[-1]))
    return int(found[-1]) if found else None


def assign(names: Sequence[str], pictures: Sequence[str], by_number: bool = False) -> Assignment:
    """Find for each name the picture that it means.

    The first of these that holds decides: the same path; the same file name; the same file name without its ending;
    and, when asked for, the same number in the file name. Among several pictures it is the one whose folders agree
    the furthest, counted from the file. Names with the whole path choose first, so the order of names is of no
    consequence. Each picture is given away once.

    Args:
        names: paths, or file names with or without an ending.
        pictures: paths of the labelled pictures.
        by_number: whether ``res_img_12`` may mean ``photo_12.jpg``, as in the Robust Reading Competition.
    """
    tables = [defaultdict[Hashable, list[int]](list) for _ in range(5 if by_number else 4)]
    for index, picture in enumerate(pictures):
        for table, key in zip(tables, _keys(picture, has_ending=True)):
            table[key].append(index)
    choices = []
    for position, name in enumerate(names):
        for rank, (table, key) in enumerate(zip(tables, _keys(name, has_ending=False))):
            if key is not None and key in table:
                choices.append((rank, position, _nearest(name, table[key], pictures)))
                break
        else:
            choices.append((len(tables), position, []))
    owners = [-1] * len(names)
    problems: dict[int, str] = {}
    taken: dict[int, str] = {}
    for _, position, candidates in sorted(choices):
        name = names[position]
        if not candidates:
            problems[position] = f"{name}: no such picture in the ground truth"
        elif len(candidates) > 1:
            listed = ", ".join(pictures[index] for index in candidates[:3])
            problems[position] = f"{name}: may mean {len(candidates)} pictures ({listed}); give more of its path"
        elif candidates[0] in taken:
            problems[position] = f"{name}: {pictures[candidates[0]]} has results already, named {taken[candidates[0]]}"
        else:
            owners[position] = candidates[0]
            taken[candidates[0]] = name
    return Assignment(tuple(owners), tuple(problems[position] for position in sorted(problems)))


def _keys(name: str, has_ending: bool) -> list[Hashable]:
    """What a name is looked up by, from strict to lenient: path, file, file as a stem, stem, number."""
    parts = _parts(name)
    stem = _stem(parts[-1])
    return [parts, parts[-1], stem if has_ending else parts[-1], stem, picture_number(name)]


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", ".")) or ("",)


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _nearest(name: str, candidates: list[int], pictures: Sequence[str]) -> list[int]:
    if len(candidates) == 1:
        return candidates
    agreement = [_common_folders(name, pictures[index]) for index in candidates]
    return [index for index, agreed in zip(candidates, agreement) if agreed == max(agreement)]


def _common_folders(a: str, b: str) -> int:
    """How many folders two paths share, counted from the file."""
    count = 0
    for x, y in zip(_parts(a)[-2::-1], _parts(b)[-2::-1]):
        if x != y:
            break
        count += 1
    return count
