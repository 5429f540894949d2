"""Shards and runs put together: order, each picture once, what is broken or missing is named and nothing else lost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.cli import main
from ppocr_pse.data.shards import Shard
from ppocr_pse.outputs import merge_index
from ppocr_pse.outputs.merge import Merged, merge
from ppocr_pse.outputs.merge_records import name_of, order_of, read_elements
from ppocr_pse.outputs.merge_runs import MergeError, find_runs
from ppocr_pse.outputs.output_set import OutputSet
from tests.outputs.made import SETTINGS, go, listing

PHOTOS = Path("/photos")
KINDS = ("crops", "coco", "jsonl", "lines")


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(results: Path, pictures: list[Path]) -> None:
    with OutputSet(KINDS, results, sorted(listing(PHOTOS)), PHOTOS, settings=SETTINGS) as outputs:
        go(outputs, pictures)
        outputs.complete()


def line(name: str, *scores: float) -> str:
    texts = [{"transcription": "", "points": [[1, 2], [9, 2], [9, 8]], "score": score} for score in scores]
    return f"{name}\t{json.dumps(texts)}\n"


def write(name: str, *lines: str) -> Path:
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(lines))
    return file


def merged(*places: str, output: str = "all/results.txt") -> tuple[Merged, list[str]]:
    reports: list[str] = []
    return merge(find_runs([Path(place) for place in places], Path(output)), Path(output), reports.append), reports


def names(file: str) -> list[str]:
    return [row.partition("\t")[0] for row in Path(file).read_text().splitlines()]


def coco(*pictures: tuple[str, float], first: int = 1, category: str = "text") -> str:
    images = [{"id": first + i, "file_name": name, "width": 9, "height": 8} for i, (name, _) in enumerate(pictures)]
    texts = [
        {"id": 70 + i, "image_id": first + i, "category_id": 1, "score": score, "note": 'a "]}, \\'}
        for i, (_, score) in enumerate(pictures)
    ]
    head = {"info": {"n": [1, {"a": "]"}], "empty": []}, "licenses": []}
    return json.dumps({"annotations": texts, **head, "images": images, "categories": [{"id": 1, "name": category}]})


def test_shards_together_are_the_run_that_was_not_divided(capsys: pytest.CaptureFixture[str]) -> None:
    pictures = sorted(listing(PHOTOS))
    run(Path("whole/results.txt"), pictures)
    for index in range(3):
        shard = Shard(index, 3)
        run(shard.file(Path("found/results.txt")), [path for path in pictures if shard.holds(path.name)])
    assert main(["merge", "found"]) == 0
    for name in ("results.txt", "results.jsonl", "results_crops.txt", "results_errors.txt"):
        assert Path("found", name).read_bytes() == Path("whole", name).read_bytes(), name
    assert json.loads(Path("found/results_coco.json").read_text()) == json.loads(
        Path("whole/results_coco.json").read_text()
    )
    assert "0 problems" in capsys.readouterr().out
    before = {file: file.read_bytes() for file in Path("found").iterdir() if file.is_file()}
    assert main(["merge", "found"]) == 0  # what was merged before is no source
    assert {file: file.read_bytes() for file in Path("found").iterdir() if file.is_file()} == before
    assert not list(Path("found").glob(".merge*"))
    with OutputSet(KINDS, Path("found/results.shard-1-of-3.txt"), pictures, PHOTOS, settings=SETTINGS, resume=True):
        pass  # stopped before its end, between two lines
    assert main(["merge", "found"]) == 1
    told = "".join(capsys.readouterr())
    assert "results.shard-1-of-3: this run did not get to its end; let it go on with --resume" in told


def test_order_is_that_of_paths_and_of_page_numbers() -> None:
    write("a.txt", line("p/b.jpg"), line("p/t.tif#page=10"), line("p/t.tif#page=9"), line("p-/a.jpg"))
    write("b.txt", line("p/a/z.jpg"), line("p/a.jpg"), line('"p/a\\n.jpg"'), line("p/t.tif#page=2"))
    merged("a.txt", "b.txt")
    assert names("all/results.txt") == [
        "p/a/z.jpg", '"p/a\\n.jpg"', "p/a.jpg", "p/b.jpg", "p/t.tif#page=2", "p/t.tif#page=9", "p/t.tif#page=10",
        "p-/a.jpg",
    ]  # fmt: skip


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), min_size=2, max_size=2))
def test_keys_have_the_order_of_paths(pair: list[str]) -> None:
    first, second = (os.path.normpath("d/" + name) for name in pair)
    assert name_of(*order_of(first)) == first
    if "#page=" not in first + second:
        assert (order_of(first) < order_of(second)) == (Path(first) < Path(second))


def test_twice_alike_is_taken_once_and_twice_differently_is_named() -> None:
    write("a.txt", line("1.jpg", 0.5), line("2.jpg", 0.5))
    write("b.txt", line("2.jpg", 0.25), line("1.jpg", 0.5).replace(" ", ""), line("3.jpg"))
    result, reports = merged("a.txt", "b.txt")
    assert (result.twice, result.problems, result.retried) == (1, 1, 0)
    assert reports == ["b.txt:1: '2.jpg' is not what a.txt:2 says, which is taken"]
    assert Path("all/results.txt").read_text() == line("1.jpg", 0.5) + line("2.jpg", 0.5) + line("3.jpg")
    assert len(merged("b.txt", "a.txt")[1]) == 1
    assert line("2.jpg", 0.25) in Path("all/results.txt").read_text()


def test_a_retry_without_error_wins_and_takes_the_error_away() -> None:
    write("a.txt", line("cut.jpg", 0.5), line("bad_twice.jpg", 0.5))
    write(
        "a_errors.txt", "cut.jpg\tcut\n", "scan.tif\tgone\n", "never.jpg\tbad\n", "bad_twice.jpg\tcut\n", "t.tif\t?\n"
    )
    write("b.txt", line("cut.jpg", 0.75), line("scan.tif#page=1"), line("bad_twice.jpg", 0.5), line("t.tif#page=1"))
    write("b_errors.txt", "never.jpg\tbad\n", "bad_twice.jpg\tcut\n", "t.tif#page=2\tbad page\n")
    result, reports = merged("a.txt", "b.txt")
    assert reports == [] and result.twice == 3
    assert result.retried == 4  # the line and the error of cut.jpg, scan.tif, t.tif
    assert names("all/results_errors.txt") == ["bad_twice.jpg", "never.jpg", "t.tif#page=2"]
    assert line("cut.jpg", 0.75) in Path("all/results.txt").read_text()
    write("b_errors.txt")
    write("a_errors.txt")
    write("a.txt", line("cut.jpg", 0.75))
    merged("a.txt", "b.txt")
    assert not Path("all/results_errors.txt").exists()  # that of the former merge is gone


def test_what_is_broken_is_named_and_the_rest_is_merged(capsys: pytest.CaptureFixture[str]) -> None:
    bad = [b"no tab\n", b"x.jpg\t[{]\n", b"x.jpg\t{}\n", b"\xff.jpg\t[]\n", b"\n", b"[" * 99999 + b"\n"]
    Path("r.shard-0-of-3.txt").write_bytes(
        b"\xef\xbb\xbf" + line("a.jpg").encode() + b"".join(bad) + line("b.jpg").encode().replace(b"\n", b"\r\n")
    )
    write("r.shard-2-of-3.txt", line("c.jpg"), line("d.jpg", 0.5)[:-9])
    write("r.shard-2-of-3_errors.txt", "e.jpg\tmessage that ends he")
    write("r.shard-2-of-3.jsonl", '{"file": "c.jpg", "page": 0}\n', '{"page": 0}\n', "[]\n")
    sources = {file: file.read_bytes() for file in Path().iterdir()}
    assert main(["merge", "."]) == 1
    assert names("r.txt") == ["a.jpg", "b.jpg", "c.jpg"] and names("r_errors.txt") == ["e.jpg"]
    found = [row.removeprefix("error: ").split(": ")[0] for row in capsys.readouterr().err.splitlines()]
    assert sorted(found) == sorted(
        ["r.shard-1-of-3", "r.shard-0-of-3.jsonl", "r.shard-2-of-3.jsonl:2", "r.shard-2-of-3.jsonl:3",
         "r.shard-2-of-3.txt:2", "r.shard-2-of-3_errors.txt:1", *(f"r.shard-0-of-3.txt:{n}" for n in (2, 3, 4, 5, 7))]
    )  # fmt: skip
    assert sources.items() <= {file: file.read_bytes() for file in Path().iterdir()}.items()


@pytest.mark.parametrize(
    ("files", "arguments", "expected"),
    [
        (["r.shard-0-of-2.txt", "r.shard-1-of-3.txt"], ["."], "different splits"),
        (["r.shard-0-of-2.txt", "s.shard-1-of-2.txt"], ["."], "several runs"),
        (["a.txt", "b.txt"], ["a.txt", "b.txt"], "--output NAME.txt"),
        (["a.txt"], ["a.txt", "gone.txt", "--output", "all.txt"], "no file or folder gone.txt"),
        (["a.txt"], ["gone/a.txt", "--output", "all.txt"], "cannot look into gone"),
        (["a.jpg"], [".", "--output", "all.txt"], "holds none"),
        (["a.jpg"], ["a.jpg", "--output", "all.txt"], "expected results"),
        (["a.txt"], ["a.txt", "--output", "all.jpg"], "expected NAME.txt"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    files: list[str], arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in files:
        write(file)
    assert main(["merge", *arguments]) == 2
    assert expected in capsys.readouterr().err
    assert sorted(file.name for file in Path().iterdir()) == sorted(files)


def test_output_may_be_a_source_and_is_replaced_at_the_end() -> None:
    write("r.txt", line("b.jpg"))
    write("new.txt", line("a.jpg"))
    merged("r.txt", "new.txt", output="r.txt")
    assert names("r.txt") == ["a.jpg", "b.jpg"]


def test_coco_documents_are_numbered_anew_and_compared_without_numbers() -> None:
    write("a_coco.json", coco(("2.jpg", 0.5), ("1.jpg", 0.5), first=5))
    write("b_coco.json", coco(("1.jpg", 0.5), ("2.jpg", 0.25), ("3.jpg", 1.0)))
    result, reports = merged("a_coco.json", "b_coco.json")
    assert result.twice == 1 and reports == ["b_coco.json:2: '2.jpg' is not what a_coco.json:1 says, which is taken"]
    document = json.loads(Path("all/results_coco.json").read_text())
    assert [(i["id"], i["file_name"]) for i in document["images"]] == [(1, "1.jpg"), (2, "2.jpg"), (3, "3.jpg")]
    assert [(t["id"], t["image_id"], t["score"]) for t in document["annotations"]] == [
        (1, 1, 0.5),
        (2, 2, 0.5),
        (3, 3, 1),
    ]
    assert document["categories"] == [{"id": 1, "name": "text"}] and document["info"]["n"] == [1, {"a": "]"}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (coco(("x.jpg", 1.0))[:-9], "its end is missing"),
        ("", "empty"),
        ("[]", "expected one JSON object"),
        (coco(("x.jpg", 1.0), category="word"), "categories are not those of a_coco.json"),
        (coco(("x.jpg", 1.0)).replace('"file_name"', '"name"'), "'file_name' is missing"),
        (coco(("x.jpg", 1.0), ("y.jpg", 1.0)).replace('"id": 2', '"id": 1'), "two images have the id 1"),
        ('{"images": [1, 2]}', "left out as a whole"),
    ],
)
def test_a_document_that_cannot_be_used_is_left_out_as_a_whole(content: str, expected: str) -> None:
    write("a_coco.json", coco(("1.jpg", 0.5)))
    write("b_coco.json", content)
    _, (report,) = merged("a_coco.json", "b_coco.json")
    assert report.startswith("b_coco.json: ") and expected in report
    assert len(json.loads(Path("all/results_coco.json").read_text())["images"]) == 1


def test_texts_of_no_picture_are_named() -> None:
    write("a_coco.json", coco(("1.jpg", 0.5)).replace('"image_id": 1', '"image_id": 9'))
    write("b_coco.json", coco(("2.jpg", 0.5)))
    assert merged("a_coco.json", "b_coco.json")[1] == [
        "a_coco.json: texts of a picture 9, which is not among the images; they are left out"
    ]


def parts(value: dict[str, object]) -> Iterator[tuple[str, int, object]]:
    for key, member in value.items():
        if isinstance(member, list):
            yield from ((key, number, item) for number, item in enumerate(member, 1))
        else:
            yield key, 0, member


TEXT = st.text('a"\\\\[]{}:,é \n', max_size=4)
VALUES = st.recursive(st.integers() | TEXT, lambda v: st.lists(v) | st.dictionaries(TEXT, v), max_leaves=8)


@settings(max_examples=60)
@given(st.dictionaries(TEXT, VALUES, max_size=4), st.sampled_from([None, 0, 2]), st.booleans())
def test_elements_of_any_object_without_loading_it(value: dict[str, object], indent: int | None, ascii: bool) -> None:
    content = json.dumps(value, indent=indent, ensure_ascii=ascii).encode()
    found = [(e.member, e.number, json.loads(content[e.start : e.start + e.length])) for e in read_elements(content)]
    assert found == list(parts(value))
    for cut in (1, len(content) // 2 + 1):
        with pytest.raises(ValueError, match=r"end is missing|expected one|Unterminated"):
            list(read_elements(content[:-cut]))


def test_more_files_than_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_index, "HANDLES", 3)
    for number in range(10):
        write(f"r.shard-{number}-of-10.txt", line(f"{number}.jpg", 0.5), line(f"b{number}.jpg", 0.5))
    assert merged(".")[0].files == {Path("all/results.txt"): 20}


def test_nothing_is_written_when_a_source_shrinks() -> None:
    write("a.txt", line("a.jpg", 0.5), line("b.jpg", 0.5))
    write("b.txt", line("c.jpg", 0.5), "broken\n")

    def shrink(message: str) -> None:
        write("a.txt")

    with pytest.raises(OSError, match=r"a\.txt: became shorter"):
        merge(find_runs([Path("a.txt"), Path("b.txt")], None), Path("all/r.txt"), shrink)
    assert list(Path("all").iterdir()) == []
    with pytest.raises(MergeError):
        merge(find_runs([Path("gone")], None), Path("all/r.txt"), shrink)
