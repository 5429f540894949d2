"""Go once through a data set as training would: lines in order, pictures decoded in threads, memory flat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ppocr_pse.data.ahead import ordered_map
from ppocr_pse.data.checks.findings import ERROR, Finding
from ppocr_pse.data.checks.pictures import TURNS, FolderIndex, PictureFacts, look_at_picture
from ppocr_pse.data.checks.records import CheckedLine, CheckSettings
from ppocr_pse.data.checks.shapes import (
    Flaw,
    almost_dont_care,
    outline_flaw,
    place_flaw,
    same_outline_key,
    vanishes,
)
from ppocr_pse.data.checks.sources import LabelLine, LabelSource, read_lines
from ppocr_pse.data.checks.summary import Tally
from ppocr_pse.data.checks.twins import TwinFinder
from ppocr_pse.data.preprocess import DecodeImage
from ppocr_pse.data.targets import MakePseGt
from ppocr_pse.types import Annotation, Polygon

SHARES = 8  # sizes between the ends of a random scale at which a small text is looked at


@dataclass
class Report:
    """What a survey gathers.

    Attributes:
        findings: all of them, in the order of files and lines.
        tally: counts and measures.
        blocked: why training could not even begin; empty when it could.
    """

    findings: list[Finding] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    blocked: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """Findings of each severity."""
        return Counter(finding.severity for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0: training loses nothing; 1: it loses something; 2: it cannot begin."""
        return 2 if self.blocked else int(self.counts[ERROR] > 0)


Watch = Callable[[LabelSource, Iterable[CheckedLine]], Iterable[CheckedLine]]


def survey(
    sources: Sequence[LabelSource],
    settings_of: Callable[[LabelSource], CheckSettings],
    visit: Callable[[CheckedLine], None] = lambda line: None,
    watch: Watch = lambda source, lines: lines,
) -> Report:
    """Check label files with their pictures.

    Args:
        sources: the label files.
        settings_of: what training (or evaluation) does with a file's pictures.
        visit: is handed every line once, in order; what it does not keep is gone.
        watch: wraps the lines of a source, for a progress bar.
    """
    report = Report()
    twins = TwinFinder()
    index = FolderIndex()
    checked: set[tuple[str, str]] = set()
    usable, absent = Counter[str](), Counter[str]()
    for source in sources:
        key = (source.section, str(source.labels))
        if key in checked:
            message = "listed more than once; its pictures are taken that often, checked once"
            report.findings.append(Finding("listed-twice", str(source.labels), 0, message))
            continue
        checked.add(key)
        settings = settings_of(source)
        about_file: list[Finding] = []
        start = len(report.findings)
        for line in watch(source, _checked_lines(source, settings, index, about_file)):
            line = twins.compare(line)
            report.findings.extend(line.findings)
            report.tally.add(line, settings)
            usable[source.section] += line.line.annotation is not None
            absent[source.section] += line.facts.absent
            visit(line)
        report.findings[start:start] = about_file
        report.blocked.extend(str(finding) for finding in about_file if finding.kind == "unusable-file")
    for section, pictures in usable.items():
        if 0 < pictures == absent[section]:
            message = f"{section}: none of the {pictures} pictures exists; check data_dir: paths are relative to it"
            report.blocked.append(message)
    return report


def _checked_lines(
    source: LabelSource, settings: CheckSettings, index: FolderIndex, about_file: list[Finding]
) -> Iterator[CheckedLine]:
    def look(line: LabelLine) -> tuple[LabelLine, PictureFacts]:
        if line.annotation is None:
            return line, PictureFacts()
        return line, look_at_picture(line.annotation.image, settings.decode, index)

    for line, facts in ordered_map(look, read_lines(source, about_file), settings.workers):
        yield CheckedLine(source, line, facts, tuple(check_line(line, facts, settings)))


def check_line(line: LabelLine, facts: PictureFacts, settings: CheckSettings) -> list[Finding]:
    """All findings on one line, its picture and its texts."""
    findings = list(line.findings)
    annotation = line.annotation
    if annotation is None:
        return findings

    def add(flaw: Flaw | None, text: int = 0) -> None:
        if flaw is not None:
            findings.append(Finding(flaw.kind, line.file, line.number, flaw.message, text, flaw.severity))

    if facts.fault is not None:
        kind, message = facts.fault
        add(Flaw(kind, f"{message} (texts on it: {len(annotation.polygons)})"))
    turned = labels_are_unturned(annotation, facts, settings.decode)
    if facts.orientation != 1 and not settings.decode.ignore_orientation:
        add(_exif_flaw(facts, turned))
    seen: dict[tuple[tuple[float, float], ...], int] = {}
    for number, polygon, ignored, text in zip(
        line.numbers, annotation.polygons, annotation.ignored.tolist(), annotation.texts
    ):
        flaw = outline_flaw(polygon, ignored)
        add(flaw, number)
        if facts.size is not None and not turned:
            place = place_flaw(polygon, facts.size, ignored)
            add(place, number)
            inside = place is None or place.kind != "outside"
            if flaw is None and inside and not ignored and settings.targets is not None:
                add(_vanishing(polygon, facts.size, settings.targets, settings.scales), number)
                add(_larger_than_crop(polygon, facts.size, settings.targets, settings), number)
        first = seen.setdefault(same_outline_key(polygon), number)
        if first != number:
            add(Flaw("duplicate-text", f"the same outline as text {first}"), number)
        if line.raw and almost_dont_care(text):
            add(Flaw("almost-dont-care", f"{text!r} is read as a word; don't-care is exactly ### or *"), number)
    if not annotation.polygons and not line.findings:
        add(Flaw("no-text", "the picture has no text; all of it is background"))
    elif annotation.polygons and annotation.ignored.all():
        count = len(annotation.polygons)
        add(Flaw("all-ignored", f"all {count} texts are don't-care" if count > 1 else "its only text is don't-care"))
    return findings


def labels_are_unturned(annotation: Annotation, facts: PictureFacts, decode: DecodeImage) -> bool:
    """Whether labels fit the picture as stored, and not as EXIF turns it."""
    if facts.size is None or facts.orientation not in TURNS or decode.ignore_orientation or not annotation.polygons:
        return False
    stored = facts.size[::-1]

    def outside(size: tuple[int, int]) -> int:
        return sum(place_flaw(polygon, size, False) is not None for polygon in annotation.polygons)

    return outside(stored) < outside(facts.size)


def _exif_flaw(facts: PictureFacts, turned: bool) -> Flaw:
    height, width = facts.size or (0, 0)
    if turned:
        cure = "turn the labels (--fix), or store the picture without EXIF, or set DecodeImage.ignore_orientation"
        message = f"orientation {facts.orientation}: the labels fit the stored {height} x {width}"
        return Flaw("exif-labels", f"{message}, but training sees {width} x {height}; {cure}")
    return Flaw("exif", f"EXIF orientation {facts.orientation}: training sees the turned picture, {width} x {height}")


def _vanishing(polygon: Polygon, size: tuple[int, int], targets: MakePseGt, scales: tuple[float, float]) -> Flaw | None:
    """Find a text of which the smallest kernel leaves nothing."""
    low, high = scales
    enlarged = targets.size / min(size)
    usual = max(min(max(1.0, low), high), enlarged)
    if targets.target != "ppocr" or not vanishes(polygon, usual, targets):
        return None
    message = f"nothing is left at rate {targets.rates[-1]:.2f} and scale {usual:.2f}: don't-care in training"
    if low < high:
        factors = [low + (high - low) * (i + 0.5) / SHARES for i in range(SHARES)]
        share = sum(vanishes(polygon, max(factor, enlarged), targets) for factor in factors) / SHARES
        message += f" (at about {share:.0%} of the scales drawn from {low:g} to {high:g})"
    return Flaw("vanishes", message)


def _larger_than_crop(
    polygon: Polygon, size: tuple[int, int], targets: MakePseGt, settings: CheckSettings
) -> Flaw | None:
    """Find a text that is longer than the crop window even at the smallest scale."""
    if settings.crop is None:
        return None
    height, width = settings.crop
    scale = max(settings.scales[0], targets.size / min(size))
    across, down = ((polygon.max(axis=0) - polygon.min(axis=0)) * scale).tolist()
    if across <= width and down <= height:
        return None
    shown = f"{across:.0f} x {down:.0f} px at the smallest scale"
    return Flaw("larger-than-crop", f"{shown}, the crop window has {width} x {height}")
