"""`ppocr-pse convert-dataset`: annotations from one data set's format to another."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ppocr_pse.data.formats import STREAMS, WRITERS, Item, coco_text, guess_format, ppocr, ppocrlabel
from ppocr_pse.data.formats.picture_copy import copy_pictures
from ppocr_pse.data.labels import LabelError
from ppocr_pse.schema import suggest
from ppocr_pse.types import Annotation

EPILOG = """\
formats (--from; those with a star also --to):
  ppocr*      PATH<TAB>JSON lines                  mindocr*     the same with bare names, *_det_gt.txt
  icdar2015*  folder or zip of gt_NAME.txt         ppocrlabel*  folder with Label.txt and fileState.txt
  mlt2017     the same with the language           labelme*     folder of one JSON file a picture
  ctw1500*    folder or zip of .xml or .txt        coco_text*   COCO-Text JSON; FILE.json#train, #val, #test: one set
  totaltext*  folder or zip of .mat or .txt        mmocr*       textdet_*.json
  msra_td500  folder of .gt files                  synthtext    gt.mat
  auto        --from only: told by the content

Don't-care texts stay don't-care, marked in the way of the format that is written. Where the transcription is the mark
(ppocr, mindocr, icdar2015, ctw1500, totaltext), the transcription of a don't-care text is lost.

exit code: 0 all was converted; 1 something was left out, each named with file and line; 2 nothing could be read

examples:
  ICDAR2015 as downloaded to a label file for training:
    ppocr-pse convert-dataset --from icdar2015 ch4_training_localization_transcription_gt.zip \\
        --images ch4_training_images --to ppocr train.txt

  pictures that are still in their zip, or GIFs: copied out, GIFs as PNG; the label file then starts from pictures/
    ppocr-pse convert-dataset --from mlt2017 gt.zip --images ch8_training_images_1.zip --copy-images pictures \\
        --to ppocr train.txt

  curved words as quadrilaterals (the rectangle of least area), zipped for the Robust Reading Competition's script:
    ppocr-pse convert-dataset --from totaltext txt_format.zip --images Images --to icdar2015 gt.zip --fit

  the validation pictures of COCO-Text:
    ppocr-pse convert-dataset --from coco_text 'cocotext.v2.json#val' --images train2014 --to ppocr val.txt
"""
_TO = "to write; formats of one file a picture go to a folder, or to a zip when PATH ends in .zip"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ppocr-pse convert-dataset",
        description="Convert annotations from one data set's format to another.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--from", dest="source", nargs=2, required=True, metavar=("FORMAT", "LABELS"), help="to read")
    parser.add_argument("--to", dest="target", nargs=2, required=True, metavar=("FORMAT", "PATH"), help=_TO)
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of the pictures, or a zip")
    parser.add_argument(
        "--copy-images",
        type=Path,
        metavar="DIR",
        help="copy the pictures there, GIFs as PNG, and let the labels mean these; needed when --images is a zip",
    )
    parser.add_argument(
        "--fit",
        action="store_true",
        help="change polygons to what the format holds (icdar2015: 4 points, ctw1500: 14) instead of leaving them out",
    )
    parser.add_argument("--delimiter", default="\t", help="between path and JSON when reading ppocr (default: a TAB)")
    parser.add_argument("--overwrite", action="store_true", help="write even if PATH exists")
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse arguments and convert."""
    arguments = _parser().parse_args(argv)
    try:
        return convert(arguments)
    except (LabelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def convert(arguments: argparse.Namespace) -> int:
    """Convert as the arguments say; 1 when something was left out.

    Raises:
        LabelError: if nothing can be read, or the target cannot be written.
    """
    name, labels = arguments.source[0], Path(arguments.source[1])
    target_name, target = arguments.target[0], Path(arguments.target[1])
    if name == "auto":
        name = guess_format(labels)
        print(f"{labels}: taken for {name}")
    _check_name(name, list(STREAMS), "--from: unknown format")
    fault = "no writer for" if target_name in STREAMS else "unknown format"
    _check_name(target_name, list(WRITERS), f"--to: {fault}")
    if not arguments.overwrite and (found := _what_is_there(target_name, target)) is not None:
        raise LabelError(f"{found} exists already; add --overwrite to write there all the same")
    problems: list[str] = []
    folder: Path = arguments.images
    if arguments.copy_images is not None:
        problems.extend(copy_pictures(folder, arguments.copy_images))
        folder = arguments.copy_images
    items = ppocr.stream(labels, folder, arguments.delimiter) if name == "ppocr" else STREAMS[name](labels, folder)
    annotations = _with_pictures(_usable(items, labels, problems), problems)
    first = next(annotations)  # raises when nothing is usable, before anything is written
    written = WRITERS[target_name](chain([first], annotations), target, folder, arguments.fit)
    problems.extend(written.problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(
        f"{target}: {written.pictures} pictures, {written.texts} texts, {written.ignored} of them don't-care; "
        f"{len(problems)} problems"
    )
    return 1 if problems else 0


def _what_is_there(name: str, target: Path) -> Path | None:
    """What the writer would write over or mix its files with."""
    if name == "coco_text":
        target, _ = coco_text.split_set(target)
    if name == "ppocrlabel" and target.is_dir():  # its files lie among the pictures
        target = target / ppocrlabel.LABELS
    empty = target.is_dir() and not any(target.iterdir())
    return target if target.exists() and not empty else None


def _check_name(name: str, known: list[str], fault: str) -> None:
    if name not in known:
        raise LabelError(f"{fault} {name!r}{suggest(name, known)}")


def _usable(items: Iterator[Item], labels: Path, problems: list[str]) -> Iterator[Annotation]:
    any_usable = False
    for item in items:
        if isinstance(item, LabelError):
            problems.append(str(item))
        else:
            any_usable = True
            yield item
    if not any_usable:
        listed = "".join(f"\n{problem}" for problem in problems)
        raise LabelError(f"{labels}: nothing usable ({len(problems)} faulty){listed}")


def _with_pictures(annotations: Iterator[Annotation], problems: list[str]) -> Iterator[Annotation]:
    """Look whether the pictures are there; labels of missing ones are converted all the same."""
    for annotation in annotations:
        image = annotation.image
        if image.suffix.lower() == ".gif" and not image.is_file() and image.with_suffix(".png").is_file():
            annotation = replace(annotation, image=image.with_suffix(".png"))  # copy_pictures has converted it
        elif not image.is_file():
            problems.append(f"{annotation.source}: no picture at {image}; its labels are converted all the same")
        yield annotation
