"""`ppocr-pse score`: score result files of any detector against ground truth; no network, no Paddle."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppocr_pse.data.formats import FORMATS, guess_format, read_format
from ppocr_pse.data.labels import LabelError, LabelFile
from ppocr_pse.data.naming import Assignment, assign
from ppocr_pse.data.results import RESULT_FORMATS, ResultError, ResultFile, guess_results_format, read_results
from ppocr_pse.metrics import PROTOCOLS, DetMetric, find_protocol

if TYPE_CHECKING:
    from ppocr_pse.report import Collector

EXAMPLES = """\
examples:
  # what `ppocr-pse infer` or PaddleOCR wrote, against a label file
  ppocr-pse score --protocol icdar2015 --gt train_data/icdar2015/test_icdar2015_label.txt \\
      --results output/det_pse/predicts_pse.txt --json score.json

  # a submission to the Robust Reading Competition, against its own ground truth
  ppocr-pse score --protocol icdar2015 --gt Challenge4_Test_Task1_GT.zip --results submit.zip

  # Total-Text with DetEval's own thresholds; polygons in files of their own, x before y
  ppocr-pse score --protocol totaltext --tr 0.8 --tp 0.4 --gt totaltext_test.txt --results polygons/ --results-format xy

The exit code is 1 when a label or a result could not be used, or names an unknown picture; the rest is scored.
"""
NAMED = 20
"""How many faults are shown in full."""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and score."""
    parser = argparse.ArgumentParser(
        prog="ppocr-pse score",
        description="Score result files of any detector: precision, recall, hmean and the counts behind them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--protocol", required=True, choices=PROTOCOLS, help="rules, see docs/evaluation.md")
    parser.add_argument("--gt", required=True, type=Path, metavar="FILE", help="ground truth: file, folder or zip")
    parser.add_argument("--gt-format", choices=sorted(FORMATS), help="of --gt (default: told by its content)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder of the labelled pictures")
    parser.add_argument("--results", required=True, type=Path, metavar="FILE_OR_ZIP", help="a file, a folder or a zip")
    parser.add_argument(
        "--results-format",
        choices=RESULT_FORMATS,
        help="lines: PATH<TAB>JSON, of this program, PaddleOCR and MindOCR; rrc: res_img_N.txt; ctw1500, totaltext: "
        "polygons, y before x; xy: polygons, x before y (default: lines for a file, rrc for files named res_..., else "
        "by the protocol: ctw1500, totaltext, or xy)",
    )
    parser.add_argument("--tr", type=float, help="threshold for recall of the protocol totaltext (0.7)")
    parser.add_argument("--tp", type=float, help="threshold for precision of the protocol totaltext (0.6)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write precision, recall, hmean and the counts there")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write a page, JSON and tables, as eval does")
    parser.add_argument("--gallery", type=int, default=24, metavar="N", help="show the N worst pictures in the report")
    arguments = parser.parse_args(argv)
    try:
        find_protocol(arguments.protocol, arguments.tr, arguments.tp)
    except ValueError as error:
        parser.error(str(error))
    try:
        return score(arguments)
    except (LabelError, ResultError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


@dataclass(frozen=True)
class Scored:
    """What is scored against what."""

    labels: LabelFile
    results: ResultFile
    assignment: Assignment
    gt_format: str
    results_format: str

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that could not be used."""
        return (*self.labels.problems, *self.results.problems, *self.assignment.problems)


def score(arguments: argparse.Namespace) -> int:
    """Score as the arguments say; 1 when something could not be used."""
    metric = DetMetric(protocol=arguments.protocol, tr=arguments.tr, tp=arguments.tp)
    scored = read(arguments)
    collector = _collector(metric, arguments)
    compare(scored, metric, collector)
    for problem in scored.problems[:NAMED]:
        print(f"warning: {problem}", file=sys.stderr)
    if len(scored.problems) > NAMED:
        print(f"warning: ... and {len(scored.problems) - NAMED} more", file=sys.stderr)
    summary, counts = metric.summary(), metric.counts()
    if hint := swapped(scored, metric, arguments):
        print(f"warning: {hint}", file=sys.stderr)
    pictures = len(scored.labels.annotations)
    without = pictures - sum(owner >= 0 for owner in scored.assignment.owners)
    print(f"ground truth: {arguments.gt}, format {scored.gt_format}, {pictures} pictures")
    print(f"results: {arguments.results}, format {scored.results_format}, {without} pictures without results")
    print(f"protocol: {arguments.protocol}")
    print(", ".join(f"{name}: {value:.6f}" for name, value in summary.items()))
    print(", ".join(f"{name}: {value}" for name, value in asdict(counts).items()))
    if arguments.json:
        content = {
            **summary,
            "counts": asdict(counts),
            "protocol": arguments.protocol,
            "pictures": pictures,
            "pictures_without_results": without,
            "problems": list(scored.problems),
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if collector is not None:
        print(f"report: {_write_report(collector, scored, arguments)}")
    return 1 if scored.problems else 0


def read(arguments: argparse.Namespace) -> Scored:
    """Read both sides and find the picture of each result."""
    gt_format = arguments.gt_format or guess_format(arguments.gt)
    # Readers of folders look for pictures by name; without --data-dir they must not come upon those of this folder.
    data_dir = arguments.data_dir or (Path() if gt_format == "ppocr" else Path("no-pictures"))
    labels = read_format(gt_format, arguments.gt, data_dir)
    by_protocol = next((name for name in ("ctw1500", "totaltext") if arguments.protocol.startswith(name)), "xy")
    results_format = arguments.results_format or guess_results_format(arguments.results, by_protocol)
    results = read_results(arguments.results, results_format)
    assignment = assign(
        [picture.name for picture in results.pictures],
        [_name(annotation.image, data_dir) for annotation in labels.annotations],
        by_number=results_format == "rrc",
    )
    return Scored(labels, results, assignment, gt_format, results_format)


def _name(image: Path, data_dir: Path) -> str:
    return str(image.relative_to(data_dir) if image.is_relative_to(data_dir) else image)


def compare(scored: Scored, metric: DetMetric, collector: Collector | None = None) -> None:
    """Score every labelled picture; one without results counts as one in which nothing was detected."""
    own: dict[int, int] = {owner: index for index, owner in enumerate(scored.assignment.owners) if owner >= 0}
    nothing: tuple[Sequence[Any], Any] = ((), np.zeros(0))
    for number, annotation in enumerate(scored.labels.annotations):
        polygons, scores = nothing
        if number in own:
            result = scored.results.pictures[own[number]]
            polygons, scores = result.polygons, result.scores
        counts = metric.update(
            polygons, np.nan_to_num(scores), annotation.polygons, annotation.ignored, str(annotation.image)
        )
        if collector is not None:
            collector.add(annotation, counts, polygons, scores, image=_picture(annotation.image))


def swapped(scored: Scored, metric: DetMetric, arguments: argparse.Namespace) -> str:
    """A hint when next to nothing matches, but much would with x and y exchanged; "" otherwise."""
    if metric.summary()["hmean"] > 0.1 or not metric.counts().detections:
        return ""
    turned = tuple(
        replace(picture, polygons=tuple(polygon[:, ::-1] for polygon in picture.polygons))
        for picture in scored.results.pictures
    )
    again = DetMetric(protocol=arguments.protocol, tr=arguments.tr, tp=arguments.tp)
    compare(replace(scored, results=replace(scored.results, pictures=turned)), again)
    hmean = again.summary()["hmean"]
    if hmean < metric.summary()["hmean"] + 0.2:
        return ""
    y_first = scored.results_format in ("ctw1500", "totaltext")
    cure = f"add --results-format {'xy' if y_first else 'ctw1500'}" if scored.results_format != "lines" else "mend them"
    return f"x and y seem to be exchanged in {arguments.results}: the other way round hmean is {hmean:.4f}; {cure}"


def _collector(metric: DetMetric, arguments: argparse.Namespace) -> Collector | None:
    if not arguments.report:
        return None
    from ppocr_pse.report import Collector

    return Collector(metric.rules, arguments.gallery)


def _picture(path: Path) -> Any:
    """The picture for the report's gallery, None when there is none: a score needs no pictures."""
    from ppocr_pse.data.preprocess import DecodeImage, ImageError

    try:
        return DecodeImage("BGR")(path)
    except ImageError:
        return None


def _write_report(collector: Collector, scored: Scored, arguments: argparse.Namespace) -> Path:
    from ppocr_pse import __version__
    from ppocr_pse.report import Facts, describe_machine, write_report

    facts = Facts(
        title=f"{arguments.results.name} against {arguments.gt.name}",
        protocol=arguments.protocol,
        settings=(
            ("results", f"{arguments.results}, format {scored.results_format}"),
            ("ground truth", f"{arguments.gt}, format {scored.gt_format}"),
            *((key, str(value)) for key, value in (("tr", arguments.tr), ("tp", arguments.tp)) if value is not None),
        ),
        machine=(*describe_machine(), ("ppocr_pse", __version__)),
        faults=scored.problems,
    )
    return write_report(collector.report(facts), arguments.report)
