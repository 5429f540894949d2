"""Reports: figures by hand, a page that is well-formed and fetches nothing, names escaped, files that agree."""

from __future__ import annotations

import base64
import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.report import describe_machine, write_report
from ppocr_pse.report.gallery import colour_map, encode_within
from ppocr_pse.report.page import render_page
from ppocr_pse.report.style import KINDS
from ppocr_pse.report.write import as_json
from tests.report.scenes import NASTY, make_report

VOID = {"meta", "link", "img", "input", "br", "hr"}
LOADS = {"src", "href", "srcset", "poster", "data", "action", "xlink:href"}


class Page(HTMLParser):
    """Checks that what is opened is closed, and keeps links, texts and elements."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.elements: list[tuple[str, dict]] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        self.links += [value for key, value in attrs if key in LOADS]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


def parse(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def test_figures_by_hand() -> None:
    """3 hits, 5 texts, 4 detections; the curve at .7 keeps 3 detections, all hits, at .3 also the candidate.

    AP: hits at ranks 1, 2, 3; then the false alarm .6 and the candidate .3; (1 + 1 + 1) / 5 = .6.
    """
    report = make_report()
    assert report.counts.summary() == pytest.approx({"precision": 3 / 4, "recall": 3 / 5, "hmean": 2 / 3})
    rows = {row.source: row for row in report.rows}
    assert list(rows) == ["a.jpg", NASTY, "c.jpg"], "names start where the pictures' folders part"
    a, b, c = rows.values()
    assert (a.hits, a.misses, a.false_alarms, a.dont_care, a.hmean) == (2, 0, 0, 1, 1.0)
    assert (b.hits, b.misses, b.false_alarms, b.precision, b.recall) == (1, 1, 1, 0.5, 0.5)
    assert (c.hits, c.misses, c.detections, c.hmean) == (0, 1, 0, 0.0)
    assert report.average_precision == pytest.approx(3 / 5)
    curve = report.curve
    assert curve is not None
    np.testing.assert_allclose(curve.thresholds, [0.3, 0.55, 0.6, 0.7, 0.8, 0.9])
    np.testing.assert_allclose(curve.precision, [3 / 5, 3 / 4, 3 / 4, 1, 1, 1])
    np.testing.assert_allclose(curve.recall, [3 / 5, 3 / 5, 3 / 5, 3 / 5, 2 / 5, 1 / 5])
    for rows_of_measure in report.breakdowns.values():
        assert sum(row.counts.truths for row in rows_of_measure) == 5
        assert sum(row.counts.detections for row in rows_of_measure) == 4
    assert [exhibit.row.source for exhibit in report.gallery] == ["c.jpg", NASTY], "worst first, none without a fault"


def test_outlines_by_what_became_of_them() -> None:
    b = make_report().gallery[1]
    kinds = {outline.kind: (outline.points[0].tolist(), outline.note) for outline in b.outlines}
    assert kinds == {
        "truth": ([10, 10], "wörd"),
        "hit": ([10, 10], "0.700"),
        "false": ([150, 60], "0.600"),
        "miss": ([60, 10], "wörd"),
    }
    assert b.size == (200, 100) and b.map_size == (200, 100)
    assert b.outlines[-1].kind == "miss", "what matters most is drawn last, on top"


def test_don_t_care_outlines() -> None:
    from ppocr_pse.metrics import DetMetric
    from ppocr_pse.report.gallery import classify
    from ppocr_pse.types import Annotation
    from tests.report.scenes import box

    annotation = Annotation(Path("a"), (box(0, 0), box(60, 0)), np.array([True, False]), ("###", "w"), "")
    counts = DetMetric().update([box(1, 1), box(60, 0)], [1, 1], annotation.polygons, annotation.ignored)
    outlines = classify(annotation, counts, [box(1, 1), box(60, 0)], [np.nan, 0.5])
    assert [(outline.kind, outline.note) for outline in outlines] == [
        ("dontcare", "###"), ("dropped", ""), ("truth", "w"), ("hit", "0.500")
    ]  # fmt: skip


def test_the_page_is_whole_and_fetches_nothing() -> None:
    text = render_page(make_report())
    page = parse(text)
    for link in page.links:
        assert link.startswith(("data:image/jpeg;base64,", "#")), link[:80]
    anchors = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {link[1:] for link in page.links if link.startswith("#")} <= anchors
    outside = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"(?m)^// .*$", "", outside))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == 1 and tags.count("article") == 2 and "link" not in tags and "iframe" not in tags
    pictures = [attributes["href"] for tag, attributes in page.elements if tag == "image"]
    assert len(pictures) == 4, "two pictures with their score maps"
    for picture in pictures:
        content = np.frombuffer(base64.b64decode(picture.partition(",")[2]), np.uint8)
        assert cv2.imdecode(content, cv2.IMREAD_COLOR) is not None


def test_names_and_texts_are_escaped() -> None:
    text = render_page(make_report())
    page = parse(text)
    assert sum(tag == "script" for tag, _ in page.elements) == 1, "the page's own"
    assert page.texts["title"][0] == 'Weights "<x>" & more'
    assert "alert" not in "".join(page.texts["script"])
    assert any(NASTY in words for words in page.texts["b"])
    assert "broken <picture>" in "".join(page.texts["li"]) and "out/<best>" in page.texts["td"]
    assert "a: <1>" in "".join(page.texts["pre"])


def test_what_the_page_says() -> None:
    text = render_page(make_report())
    for words in ("66.67&thinsp;%", "75.00&thinsp;%", "60.00&thinsp;%", "icdar2015", "missed text", "false alarm"):
        assert words in text, words
    assert "1 picture or label could not be used" in text
    assert "3 pictures in 3.4 s" in text and "network 1000.0 ms" in text
    heights = text[text.index("<h3>Height</h3>") : text.index("<h3>Aspect</h3>")]
    assert "8 – 12 px" in heights and "64 px and more" in heights


def test_without_scores_there_is_no_curve() -> None:
    report = make_report(scores=False)
    assert report.curve is None and report.average_precision is None
    assert "the detections have no scores" in render_page(report) and as_json(report)["curve"] == []


def test_nothing_at_all() -> None:
    from ppocr_pse.metrics import DetMetric
    from ppocr_pse.report import Collector
    from tests.report.scenes import FACTS

    report = Collector(DetMetric().rules).report(FACTS)
    parse(render_page(report))
    json.dumps(as_json(report), allow_nan=False)


@pytest.mark.parametrize(("gallery", "expected"), [(0, []), (1, ["c.jpg"]), (5, ["c.jpg", NASTY])])
def test_the_gallery_is_limited(gallery: int, expected: list[str]) -> None:
    assert [exhibit.row.source for exhibit in make_report(gallery).gallery] == expected


def test_the_gallery_keeps_the_worst_whatever_the_order() -> None:
    names = [exhibit.row.source for exhibit in make_report(4, extra=6).gallery]
    assert names == ["c.jpg", "d0.jpg", "d1.jpg", "d2.jpg"], "of equal ones the first by name"


def test_the_files_agree(tmp_path: Path) -> None:
    report = make_report()
    page = write_report(report, tmp_path / "new" / "report")
    write_report(report, page.parent)
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "breakdown.csv", "curve.csv", "pictures.csv", "report.html", "report.json"
    ]  # fmt: skip
    content = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    assert content["hmean"] == report.counts.hmean and content["counts"]["truths"] == 5
    assert content["best_threshold"]["threshold"] == pytest.approx(0.7)
    assert [row["source"] for row in content["pictures"]] == ["a.jpg", NASTY, "c.jpg"]
    with (page.parent / "pictures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["source"], int(row["misses"])) for row in rows] == [("a.jpg", 0), (NASTY, 1), ("c.jpg", 1)]
    with (page.parent / "curve.csv").open(encoding="utf-8", newline="") as file:
        curve = list(csv.DictReader(file))
    assert [float(row["recall"]) for row in curve] == [point["recall"] for point in content["curve"]]
    with (page.parent / "breakdown.csv").open(encoding="utf-8", newline="") as file:
        bins = list(csv.DictReader(file))
    assert sum(int(row["truths"]) for row in bins if row["measure"] == "aspect") == 5
    assert bins[0]["measure"] == "height" and bins[0]["low"] == "" and bins[0]["high"] == "8.0"


def test_pictures_fit_their_budget() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (700, 900, 3), np.uint8)
    assert len(encode_within(noise, 10_000_000)) > 300_000
    for budget in (200_000, 100_000, 20_000):
        text = encode_within(noise, budget)
        assert budget / 3 < len(text) <= budget + 30
    smallest = encode_within(noise, 1)
    content = cv2.imdecode(np.frombuffer(base64.b64decode(smallest.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert max(content.shape) == 240, "the coarsest one, when nothing fits"
    assert encode_within(noise[:1, :1], 10_000).startswith("data:image/jpeg;base64,")


def test_the_score_map_rises_in_lightness_and_takes_any_logit() -> None:
    logits = np.array([[-np.inf, -2.0, 0.0, 2.0, np.inf, np.nan]], np.float32)
    light = cv2.cvtColor(colour_map(logits), cv2.COLOR_BGR2LAB)[0, :, 0].astype(int)
    assert (np.diff(light[:5]) > 0).all() and light[5] == light[0]


def test_outlines_can_be_told_apart_without_colour() -> None:
    assert len({kind.dash for kind in KINDS.values()}) == len(KINDS)
    lightness = {}
    for kind in KINDS.values():
        r, g, b = (int(kind.colour[i : i + 2], 16) for i in (1, 3, 5))
        lightness[kind.colour] = 0.2126 * r + 0.7152 * g + 0.0722 * b
    by_lightness = sorted(lightness.values())
    assert len(by_lightness) == 5 and min(np.diff(by_lightness)) > 4


def test_the_wheel_holds_the_style_and_the_script() -> None:
    root = Path(__file__).parents[2]
    declared = (root / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.setuptools.package-data]")[2]
    for file in (root / "ppocr_pse" / "report").iterdir():
        assert file.suffix in (".py", "") or f'"report/*{file.suffix}"' in declared, file


def test_the_machine() -> None:
    facts = dict(describe_machine())
    assert facts["processor"] and int(facts["cores used at most"]) >= 1
