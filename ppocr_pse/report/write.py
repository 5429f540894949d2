"""Write a report: the page, the same as JSON, and tables as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ppocr_pse.metrics import Counts
from ppocr_pse.metrics.breakdown import PictureRow
from ppocr_pse.report.collect import Report
from ppocr_pse.report.page import render_page


def write_report(report: Report, folder: Path) -> Path:
    """Write ``report.html``, ``report.json``, ``pictures.csv``, ``curve.csv`` and ``breakdown.csv``.

    Args:
        report: what to write.
        folder: is made if missing; files of an earlier report are replaced, others are left alone.

    Returns:
        Path of the page.

    Raises:
        OSError: if the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "report.json", json.dumps(as_json(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    for name, (head, rows) in _tables(report).items():
        _write(folder / name, _csv(head, rows))
    page = folder / "report.html"
    _write(page, render_page(report))
    return page


def as_json(report: Report) -> dict[str, Any]:
    """The whole report but its pictures, as JSON has it; infinite borders and unknown values are null."""
    facts, curve = report.facts, report.curve
    best = curve.best() if curve is not None and len(curve.thresholds) else None
    return {
        **report.counts.summary(),
        "average_precision": report.average_precision,
        "counts": asdict(report.counts),
        "protocol": facts.protocol,
        "pictures": [asdict(row) for row in report.rows],
        "best_threshold": None
        if curve is None or best is None
        else {
            "threshold": float(curve.thresholds[best]),
            **curve.counts[best].summary(),
        },
        "curve": [
            {"threshold": float(threshold), **counts.summary(), "counts": asdict(counts)}
            for threshold, counts in ([] if curve is None else zip(curve.thresholds, curve.counts))
        ],
        "breakdowns": {
            name: [
                {
                    "low": row.low if math.isfinite(row.low) else None,
                    "high": row.high if math.isfinite(row.high) else None,
                    **row.counts.summary(),
                    "counts": asdict(row.counts),
                }
                for row in rows
            ]
            for name, rows in report.breakdowns.items()
        },
        "worst": [
            {
                "source": exhibit.row.source,
                "outlines": [
                    {"kind": outline.kind, "points": outline.points.tolist(), "note": outline.note}
                    for outline in exhibit.outlines
                ],
            }
            for exhibit in report.gallery
        ],
        "title": facts.title,
        "settings": dict(facts.settings),
        "machine": dict(facts.machine),
        "seconds": facts.seconds,
        "stages": dict(facts.stages),
        "faults": list(facts.faults),
    }


def _tables(report: Report) -> dict[str, tuple[Sequence[str], Iterable[Sequence[Any]]]]:
    figures = ("precision", "recall", "hmean")
    names = tuple(field.name for field in fields(Counts))

    def cells(counts: Counts) -> tuple[Any, ...]:
        return (*counts.summary().values(), *counts.as_ints())

    columns = tuple(field.name for field in fields(PictureRow))
    curve = report.curve
    return {
        "pictures.csv": (columns, ([getattr(row, name) for name in columns] for row in report.rows)),
        "curve.csv": (
            ("threshold", *figures, *names),
            [
                (float(at), *cells(counts))
                for at, counts in ([] if curve is None else zip(curve.thresholds, curve.counts))
            ],
        ),
        "breakdown.csv": (
            ("measure", "low", "high", *figures, *names),
            [
                (measure, *(value if math.isfinite(value) else "" for value in (row.low, row.high)), *cells(row.counts))
                for measure, rows in report.breakdowns.items()
                for row in rows
            ],
        ),
    }


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _write(file: Path, text: str) -> None:
    """Write all of a file or nothing."""
    unfinished = file.with_name(file.name + ".part")
    unfinished.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")
    unfinished.replace(file)
