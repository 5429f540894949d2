"""`ppocr-pse check-data`: what training would lose of a data set, what would hurt it, and what the data are like."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_pse.cli.common import run_in_words

if TYPE_CHECKING:
    from ppocr_pse.config import Config, DatasetSettings
    from ppocr_pse.data.checks import CheckedLine, CheckSettings, Exhibit, Finding, LabelSource, Report

Plan = tuple[list["LabelSource"], Callable[["LabelSource"], "CheckSettings"]]

EPILOG = """\
what is found is an error (training loses something), a warning (training keeps it, but it hurts) or a note.
exit code: 0 training loses nothing; 1 it loses something; 2 it cannot even begin

examples:
  # the training set of a configuration, with its sizes and kernels
  ppocr-pse check-data -c configs/det/det_mv3_pse.yml

  # both sets, also against each other: is a picture in training and in evaluation?
  ppocr-pse check-data -c configs/det/det_mv3_pse.yml --section both

  # a label file, without a configuration; look at the faulty pictures
  ppocr-pse check-data --labels train_data/mine/label.txt --data-dir train_data/mine --sheet sheet.png

  # ICDAR2015 as it is handed out
  ppocr-pse check-data --labels ch4_training_localization_transcription_gt.zip \\
      --data-dir ch4_training_images --format icdar2015

  # write a mended copy, train_data/mended/label.txt, and tell a program what was found
  ppocr-pse check-data --labels train_data/mine/label.txt --data-dir train_data/mine \\
      --fix train_data/mended --json found.json
"""
CAPTION = 34  # pixels of two lines
CELL = (320 + CAPTION, 480)  # height, width; a 3:2 picture above its caption


def main(argv: Sequence[str]) -> int:
    """Parse arguments and check."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if bool(arguments.config) == bool(arguments.labels):
        parser.error("give either -c CONFIG or --labels FILE")
    if arguments.labels and not arguments.data_dir:
        parser.error("--labels needs --data-dir: picture paths in the labels are relative to it")
    if arguments.config and (arguments.data_dir or arguments.format or arguments.size):
        parser.error("--data-dir, --format and --size go with --labels; a configuration has its own (set them with -o)")
    try:
        return run_in_words(lambda: check(arguments))
    except OSError as error:
        print(f"error: cannot write what was asked for: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ppocr-pse check-data",
        description="Read a data set as training would and report what is wrong with it, with file and line.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group("what to check")
    what.add_argument("-c", "--config", metavar="FILE", help="configuration (.yml)")
    what.add_argument("-o", "--opt", nargs="+", action="extend", default=[], metavar="A.b.c=VALUE", help="set its keys")
    what.add_argument("--section", choices=("Train", "Eval", "both"), default="Train", help="of it (default Train)")
    what.add_argument("--labels", type=Path, nargs="+", metavar="FILE", help="label files, without a configuration")
    what.add_argument("--data-dir", type=Path, metavar="DIR", help="folder that their picture paths are relative to")
    what.add_argument("--format", metavar="F", help="their format, as dataset.format (default ppocr)")
    what.add_argument("--size", type=int, metavar="N", help="training size, as MakePseGt.size (default 640)")
    out = parser.add_argument_group("what to write")
    out.add_argument("--limit", type=int, default=5, metavar="N", help="lines shown of each kind (default 5; 0: all)")
    out.add_argument("--sheet", type=Path, metavar="PNG", help="contact sheet with the labels drawn, faulty ones first")
    out.add_argument("--sheet-size", type=int, default=24, metavar="N", help="pictures on it (default 24)")
    out.add_argument("--json", type=Path, metavar="FILE", help="all findings and the summary, for programs")
    out.add_argument("--fix", type=Path, metavar="DIR", help="mended copies of the label files, in PaddleOCR's format")
    parser.add_argument("--workers", type=int, metavar="N", help="threads that decode (default: one for each core)")
    return parser


def check(arguments: argparse.Namespace) -> int:
    """Check what the arguments name, print and write what was found."""
    from ppocr_pse.data.checks import Gallery, Mender, survey
    from ppocr_pse.schema import ConfigError

    workers = arguments.workers if arguments.workers is not None else len(_cores())
    sources, settings_of = plan_config(arguments, workers) if arguments.config else plan_files(arguments, workers)
    if arguments.fix and any(arguments.fix.resolve() == source.labels.parent.resolve() for source in sources):
        raise ConfigError(f"--fix {arguments.fix}: the label files themselves are there; name another folder")
    gallery = Gallery(arguments.sheet_size) if arguments.sheet else None
    mender = Mender(settings_of) if arguments.fix else None
    visitors = [part.visit for part in (gallery, mender) if part is not None]

    def visit(line: CheckedLine) -> None:
        for visitor in visitors:
            visitor(line)

    report = survey(sources, settings_of, visit, _watch)
    print(describe(report, arguments.limit))
    if arguments.json:
        _write_json(report, arguments.json)
    if gallery is not None:
        _write_sheet(gallery.choose(), arguments.sheet)
    if mender is not None:
        written = mender.write(arguments.fix)
        print(f"\n{_count(len(mender.changes), 'change')}, all in {arguments.fix / 'changes.txt'}; mended:")
        print("\n".join(f"  {file}" for file in written) or "  no file, since nothing could be read")
    return report.exit_code


def _cores() -> Sequence[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _watch(source: LabelSource, lines: Iterable[CheckedLine]) -> Iterator[CheckedLine]:
    from tqdm import tqdm

    total = None
    if source.format == "ppocr" and source.labels.is_file():
        with source.labels.open("rb") as stream:
            total = sum(1 for _ in stream)
    yield from tqdm(lines, desc=source.labels.name, total=total, unit="line", disable=None, file=sys.stderr)


def plan_files(arguments: argparse.Namespace, workers: int) -> Plan:
    """Label files without a configuration: sizes and kernels of PaddleOCR's training files, without random scales."""
    from ppocr_pse.data.checks import CheckSettings, LabelSource
    from ppocr_pse.data.formats import FORMATS
    from ppocr_pse.data.targets import MakePseGt
    from ppocr_pse.schema import ConfigError

    name = arguments.format or "ppocr"
    if name not in FORMATS:
        raise ConfigError(f"--format {name}: unknown format, expected one of {', '.join(FORMATS)}")
    size = 640 if arguments.size is None else arguments.size
    if size < 32:
        raise ConfigError(f"--size {size}: expected at least 32 pixels")
    settings = CheckSettings(targets=MakePseGt(size=size), crop=(size, size), workers=workers)
    return [LabelSource(file, arguments.data_dir, name) for file in arguments.labels], lambda source: settings


def plan_config(arguments: argparse.Namespace, workers: int) -> Plan:
    """The label files of a configuration's sections, with what its transforms do."""
    from ppocr_pse.config import load_config
    from ppocr_pse.data.checks import LabelSource

    config = load_config(arguments.config, arguments.opt)
    sections = ("Train", "Eval") if arguments.section == "both" else (arguments.section,)
    sources: list[LabelSource] = []
    for section in sections:
        dataset = _dataset(config, section)
        folder, delimiter = Path(dataset.data_dir), dataset.delimiter or "\t"
        sources.extend(LabelSource(file, folder, dataset.format, delimiter, section) for file in dataset.label_files)
    settings = {section: settings_of_config(config, section, workers) for section in sections}
    return sources, lambda source: settings[source.section]


def _dataset(config: Config, section: str) -> DatasetSettings:
    from ppocr_pse.config import DatasetSettings
    from ppocr_pse.schema import choose, construct

    where = f"{section}.dataset"
    _, given = choose({"SimpleDataSet": DatasetSettings}, config.section(section).get("dataset"), where)
    return construct(DatasetSettings, given, where)


def settings_of_config(config: Config, section: str, workers: int) -> CheckSettings:
    """What a section's transforms do with a picture."""
    import numpy as np

    from ppocr_pse.build import build_preprocess, build_train_chain
    from ppocr_pse.data.checks import CheckSettings
    from ppocr_pse.types import Annotation

    if section == "Eval":
        return CheckSettings(build_preprocess(config).decode, None, workers=workers)
    nobody = Annotation(Path(), (), np.zeros(0, bool), (), "")  # CopyPaste wants donors; nothing is pasted here
    chain = build_train_chain(_dataset(config, section).transforms, donors=[nobody])
    crop = None
    if chain.crop is not None:
        height, width = chain.crop.size  # type: ignore[misc]  # its constructor refuses a single number
        crop = (height, width)
    return CheckSettings(chain.decode, chain.targets, crop, drawn_scales(chain.policies), workers)


def drawn_scales(policies: Sequence[Any]) -> tuple[float, float]:
    """Lowest and highest factor by which the random policies together resize a picture."""
    from ppocr_pse.data.augment.iaa import IaaAugment

    low = high = 1.0
    for policy in policies:
        for spec in policy.specs if isinstance(policy, IaaAugment) else ():
            if spec.name == "Resize" and spec.spread is not None:
                low, high = low * spec.spread[0], high * spec.spread[1]
    return low, high


def describe(report: Report, limit: int) -> str:
    """The report in words: findings by kind, the table of measures, the verdict."""
    from ppocr_pse.data.checks import ERROR, KINDS, NOTE, WARNING

    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in report.findings:
        groups[finding.severity, finding.kind].append(finding)
    parts = []
    for severity in (ERROR, WARNING, NOTE):
        for kind, (_, meaning) in KINDS.items():
            found = groups.get((severity, kind), [])
            if not found:
                continue
            parts.append(f"{severity}: {kind} ({len(found)}): {meaning}")
            shown = found if limit <= 0 else found[:limit]
            parts.extend(f"  {finding}" for finding in shown)
            if len(shown) < len(found):
                parts.append(f"  ... and {len(found) - len(shown)} more (--limit 0 shows all)")
    tally = report.tally
    lost = f"{tally.absent} missing, {tally.undecodable} undecodable, {tally.without_text} without text"
    decoded = f"{_count(tally.lines, 'line')}, {_count(tally.pictures, 'picture')} decoded ({lost})"
    parts.append(f"\n{decoded}, {_count(tally.texts, 'text')}, {tally.ignored} of them don't-care\n")
    parts.extend([tally.table(), *tally.vanishing_lines()] if tally.pictures else [])
    counts = report.counts
    listed = ", ".join(_count(counts[severity], severity) for severity in (ERROR, WARNING, NOTE))
    parts.append(f"\n{listed}: {_verdict(report)}")
    return "\n".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _verdict(report: Report) -> str:
    if report.blocked:
        return "training cannot begin: " + "; ".join(report.blocked)
    return "training would lose what the errors name" if report.exit_code else "training loses nothing"


def _write_json(report: Report, file: Path) -> None:
    from dataclasses import asdict

    content = {
        "exit_code": report.exit_code,
        "blocked": report.blocked,
        "counts": dict(report.counts),
        "summary": report.tally.as_dict(),
        "findings": [asdict(finding) for finding in report.findings],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"\nall findings: {file}")


def _write_sheet(exhibits: Sequence[Exhibit], file: Path) -> None:
    from ppocr_pse.visualize import caption, contact_sheet, draw_labels, write_image

    if not exhibits:
        print("\nno contact sheet: there is no line to draw")
        return
    cells = []
    for exhibit in exhibits:
        line = exhibit.checked.line
        image = exhibit.image()
        scale = 1.0 if image is None else max(image.shape[0] / (CELL[0] - CAPTION), image.shape[1] / CELL[1])
        if image is not None:
            image = _resized(image, scale)  # first, so that lines and rings have the same width on all
            outlines = [polygon / scale for polygon in exhibit.polygons]
            image = draw_labels(image, outlines, exhibit.ignored, exhibit.faulty)
        name = line.annotation.image.name if line.annotation is not None else ""
        lines = (
            f"{Path(line.file).name}:{line.number}  {name}",
            ", ".join(exhibit.kinds) or "no fault",
        )
        cells.append(caption(image, lines, CELL))
    write_image(file, contact_sheet(cells, cell=CELL))
    print(f"\ncontact sheet ({len(cells)} pictures; green: text, blue: don't-care, red: faulty): {file}")


def _resized(image: Any, scale: float) -> Any:
    import cv2

    size = (max(1, round(image.shape[1] / scale)), max(1, round(image.shape[0] / scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
