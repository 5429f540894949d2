"""Several outputs together: what stands after a run, after a run that was killed anywhere, on a full disk."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.line_names import read_name, written_name
from ppocr_pse.outputs import appended, base
from ppocr_pse.outputs.base import OutputError
from ppocr_pse.outputs.output_set import OUTPUTS, OutputSet
from tests.outputs.made import ALL, SETTINGS, broken, go, listing, result, results_of, tree

PHOTOS = Path("/photos")


def opened(out: Path, kinds: tuple[str, ...] = ALL, resume: bool = False, **changed: object) -> OutputSet:
    return OutputSet(
        kinds, out / "results.txt", listing(PHOTOS), PHOTOS, settings={**SETTINGS, **changed}, resume=resume
    )


def whole_run(out: Path, kinds: tuple[str, ...] = ALL) -> OutputSet:
    with opened(out, kinds) as outputs:
        go(outputs, listing(PHOTOS))
    return outputs


def test_all_kinds_are_tested() -> None:
    assert set(ALL) == set(OUTPUTS)


def test_what_a_run_leaves(tmp_path: Path) -> None:
    outputs = whole_run(tmp_path)
    assert (outputs.pictures, outputs.texts, outputs.faults) == (10, 12, 2)
    files = {name for name in tree(tmp_path) if not name.startswith(".results_sheet")}
    own = {"results.txt", "results.jsonl", "results_coco.json", "results_crops.txt", "results_errors.txt"}
    assert own | {"results_sheet.jpg", "results.run.json"} <= files
    assert {name for name in files if name.startswith("det_results")} == {
        "det_results/b/two.jpg", "det_results/a.png", "det_results/a.jpg", "det_results/cut.jpg",
        "det_results/caf\udce9\t\n.jpg", "det_results/-c.gif.png", "det_results/b/none.bmp",
        *(f"det_results/pages.tif#page={page}.png" for page in (1, 2, 3)),
    }  # fmt: skip
    stems = ["b/two", "a.png", "a.jpg", "cut", "caf\udce9\t\n", "-c", "b/none", *(f"pages#page={n}" for n in (1, 2, 3))]
    assert {name for name in files if name.startswith("icdar")} == {f"icdar/{stem}.txt" for stem in stems}
    assert {name for name in files if name.startswith("labelme")} == {f"labelme/{stem}.json" for stem in stems}
    crops = {name for name in files if name.startswith("crops/")}
    assert len(crops) == 12
    assert {"crops/pages#page=3/0003.png", "crops/a.png/0001.png"} <= crops
    errors = (tmp_path / "results_errors.txt").read_text().splitlines()
    assert errors == [
        "/photos/bad.jpg\t/photos/bad.jpg: not a picture", "/photos/cut.jpg\t/photos/cut.jpg: the end is missing"
    ]  # fmt: skip
    lines = (tmp_path / "results.txt").read_text(encoding="utf-8").splitlines()
    assert [read_name(line.split("\t")[0]) for line in lines] == [
        found.name for path in listing(PHOTOS) for found in results_of(path) if found.image is not None
    ]


def test_the_errors_of_an_earlier_run_go(tmp_path: Path) -> None:
    whole_run(tmp_path)
    with OutputSet(["lines"], tmp_path / "results.txt", [PHOTOS / "a.jpg"]) as outputs:
        outputs.add(outputs.finish(result(PHOTOS / "a.jpg")))
    assert not (tmp_path / "results_errors.txt").exists()
    assert len((tmp_path / "results.txt").read_text().splitlines()) == 1


def test_finish_in_threads_gives_the_same_files(tmp_path: Path) -> None:
    whole_run(tmp_path / "one")
    with opened(tmp_path / "many") as outputs, ThreadPoolExecutor(8) as pool:
        found = [found for path in listing(PHOTOS) for found in results_of(path)]
        for finished in pool.map(outputs.finish, found):
            outputs.add(finished)
    assert relocated(tmp_path / "one") == relocated(tmp_path / "many")


def relocated(out: Path) -> dict[str, bytes]:
    """The tree, with the ways from labelme's files to the pictures made independent of where the files are."""
    return {name: re.sub(rb"(\.\./)+photos/", b"", content) for name, content in tree(out).items()}


class Killed(BaseException):
    """Stands for kill -9: nothing that comes after it may touch a file."""


@contextmanager
def killed_after(amount: int) -> Iterator[None]:
    """Die in the middle of a write, after so many bytes, or between writing a file and giving it its name."""
    left = [amount]
    write, write_bytes, replace, unlink = os.write, Path.write_bytes, Path.replace, Path.unlink

    def spend(content: bytes) -> bytes:
        part = content[: max(0, left[0])]
        left[0] -= len(content)
        return part

    def check() -> None:
        if left[0] < 0:
            raise Killed

    def dying_write(descriptor: int, content: bytes) -> int:
        written = write(descriptor, spend(content))
        check()
        return written

    def dying_write_bytes(path: Path, content: bytes) -> int:
        written = write_bytes(path, spend(content))
        check()
        return written

    def dying_replace(path: Path, target: Path) -> None:
        spend(b"1234567")
        check()
        replace(path, target)

    def dead_unlink(path: Path, missing_ok: bool = False) -> None:
        check()
        unlink(path, missing_ok)

    with (
        mock.patch.object(appended.os, "write", dying_write),
        mock.patch.object(Path, "write_bytes", dying_write_bytes),
        mock.patch.object(Path, "replace", dying_replace),
        mock.patch.object(Path, "unlink", dead_unlink),
    ):
        yield


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "out"
    whole_run(out)
    return out


@settings(max_examples=12, deadline=None)
@given(budgets=st.lists(st.integers(0, 90_000), min_size=1, max_size=3))
def test_killed_anywhere_and_resumed_the_files_are_those_of_an_unbroken_run(unbroken: Path, budgets: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        for number, budget in enumerate(budgets):
            with contextlib.suppress(Killed), killed_after(budget):
                outputs = opened(out, resume=number > 0)
                go(outputs, listing(PHOTOS))
                outputs.close()
        with opened(out, resume=True) as outputs:
            go(outputs, listing(PHOTOS))
        assert (outputs.pictures, outputs.texts, outputs.faults) == (10, 12, 2)
        assert relocated(out) == relocated(unbroken)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_files_that_are_cut_damaged_or_removed_are_mended(unbroken: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        shutil.copytree(unbroken, out)
        for name in data.draw(st.sets(st.sampled_from(["results.txt", "results.jsonl", "results_crops.txt"]))):
            content = (out / name).read_bytes()
            (out / name).write_bytes(content[: data.draw(st.integers(0, len(content)))] + data.draw(st.binary()))
        removable = sorted(name for name in tree(out) if "/" in name)
        for name in data.draw(st.sets(st.sampled_from(removable), max_size=3)):
            (out / name).unlink()
        with opened(out, resume=True) as outputs:
            go(outputs, listing(PHOTOS))
        assert relocated(out) == relocated(unbroken)


def test_only_what_is_not_done_is_done_again(tmp_path: Path) -> None:
    whole_run(tmp_path, ("drawn", "lines"))
    outputs = opened(tmp_path, ("drawn", "lines"), resume=True)
    again = [path.name for path in listing(PHOTOS) if not outputs.is_done(path)]
    assert again == ["bad.jpg", "cut.jpg"]  # what stands in the errors file
    outputs.close()
    (tmp_path / "det_results" / "a.png").unlink()
    outputs = opened(tmp_path, ("drawn", "lines"), resume=True)
    assert "a.png" in [path.name for path in listing(PHOTOS) if not outputs.is_done(path)]
    go(outputs, listing(PHOTOS))
    outputs.close()
    outputs = opened(tmp_path, ("drawn", "icdar"), resume=True)  # a kind that was not asked for before
    assert not any(outputs.is_done(path) for path in listing(PHOTOS))
    outputs.close()


def test_pages_of_the_last_file_are_done_again(tmp_path: Path) -> None:
    pages = PHOTOS / "pages.tif"
    outputs = OutputSet(["lines"], tmp_path / "r.txt", [PHOTOS / "a.jpg", pages], settings=SETTINGS)
    for found in (result(PHOTOS / "a.jpg"), result(pages, page=1), result(pages, page=2)):
        outputs.add(outputs.finish(found))
    outputs = OutputSet(["lines"], tmp_path / "r.txt", [PHOTOS / "a.jpg", pages], settings=SETTINGS, resume=True)
    assert outputs.is_done(PHOTOS / "a.jpg")
    assert not outputs.is_done(pages)
    assert (tmp_path / "r.txt").read_text().count("\n") == outputs.pictures == 1


def test_a_file_whose_pages_were_interrupted_is_known_after_sorting(tmp_path: Path) -> None:
    pages, other = PHOTOS / "a.tif", PHOTOS / "b.jpg"
    files = [pages, other]
    with OutputSet(["lines"], tmp_path / "r.txt", files, settings=SETTINGS) as outputs:
        for found in (result(pages, page=1), broken(pages, page=2), result(other)):
            outputs.add(outputs.finish(found))
    with OutputSet(["lines"], tmp_path / "r.txt", files, settings=SETTINGS, resume=True) as outputs:
        assert [outputs.is_done(file) for file in files] == [False, True]
        outputs.add(outputs.finish(result(pages, page=1)))  # page 2 is not reached
    outputs = OutputSet(["lines"], tmp_path / "r.txt", files, settings=SETTINGS, resume=True)
    assert [outputs.is_done(file) for file in files] == [False, True]


def test_a_name_that_looks_like_a_page_is_a_file(tmp_path: Path) -> None:
    files = [PHOTOS / "a.tif#page=2", PHOTOS / "b.jpg"]
    with OutputSet(["lines"], tmp_path / "r.txt", files, settings=SETTINGS) as outputs:
        outputs.add(outputs.finish(result(files[0])))
    outputs = OutputSet(["lines"], tmp_path / "r.txt", files, settings=SETTINGS, resume=True)
    assert [outputs.is_done(file) for file in files] == [True, False]


def test_the_errors_go_when_what_failed_succeeds_at_last(tmp_path: Path) -> None:
    path = PHOTOS / "a.jpg"
    with OutputSet(["lines"], tmp_path / "r.txt", [PHOTOS / "b.jpg", path], settings=SETTINGS) as outputs:
        outputs.add(outputs.finish(result(PHOTOS / "b.jpg")))
        outputs.add(outputs.finish(broken(path)))
    with OutputSet(["lines"], tmp_path / "r.txt", [PHOTOS / "b.jpg", path], settings=SETTINGS, resume=True) as outputs:
        outputs.add(outputs.finish(result(path)))
    assert not (tmp_path / "r_errors.txt").exists()
    assert (tmp_path / "r.txt").read_text().count("\n") == 2


def test_a_line_without_its_end_does_not_stand(tmp_path: Path) -> None:
    whole_run(tmp_path, ("crops", "lines"))
    file = tmp_path / "results_crops.txt"
    whole = file.read_bytes()
    file.write_bytes(whole[:-2])  # a digit of a score is missing, and the end of the line
    with opened(tmp_path, ("crops", "lines"), resume=True) as outputs:
        assert not outputs.is_done(PHOTOS / "-c.gif")
        go(outputs, listing(PHOTOS))
    assert file.read_bytes() == whole


def test_results_of_pictures_that_are_gone_stay(tmp_path: Path) -> None:
    whole_run(tmp_path, ("lines", "drawn"))
    fewer = listing(PHOTOS)[1:]
    with OutputSet(["drawn"], tmp_path / "results.txt", fewer, PHOTOS, settings=SETTINGS, resume=True) as outputs:
        go(outputs, fewer)
    assert "two.jpg" in (tmp_path / "results.txt").read_text()


def test_other_settings_are_refused_with_both_and_the_cure(tmp_path: Path) -> None:
    whole_run(tmp_path, ("lines",))
    before = tree(tmp_path)
    with pytest.raises(
        OutputError, match=r"results\.txt.*other settings.*weights \"aa\", now \"bb\".*without --resume"
    ):
        opened(tmp_path, resume=True, weights="bb")
    (tmp_path / "results.run.json").write_text("{")
    with pytest.raises(OutputError, match=r"results\.run\.json.*cannot be read; run without --resume"):
        opened(tmp_path, resume=True)
    (tmp_path / "results.run.json").write_bytes(before["results.run.json"])
    assert tree(tmp_path) == before
    opened(tmp_path, weights="bb").close()
    assert json.loads((tmp_path / "results.run.json").read_text())["weights"] == "bb"


def test_nothing_to_resume_is_a_beginning(tmp_path: Path) -> None:
    with opened(tmp_path / "new", resume=True) as outputs:
        go(outputs, listing(PHOTOS))
    assert outputs.pictures == 10


def test_unknown_kinds_and_drawing_over_the_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'lins' is not known, expected one of drawn, crops"):
        OutputSet(["lins"], tmp_path / "r.txt", [])
    with pytest.raises(OutputError, match="would have the same name"):
        OutputSet(["coco"], tmp_path / "r.jsonl", [])
    with pytest.raises(OutputError, match="would replace the pictures"):
        OutputSet(["drawn"], tmp_path / "r.txt", [tmp_path / "det_results" / "a.jpg"])


def test_a_file_that_cannot_be_written_is_an_error_of_its_picture(tmp_path: Path) -> None:
    (tmp_path / "icdar" / "a.png.txt").mkdir(parents=True)
    (tmp_path / "labelme").write_text("a file where a folder is needed")
    with opened(tmp_path) as outputs:
        go(outputs, listing(PHOTOS))
    lines = (tmp_path / "results.txt").read_text(encoding="utf-8")
    errors = (tmp_path / "results_errors.txt").read_text(encoding="utf-8").splitlines()
    assert lines.count("\n") == 10  # nothing that was found is lost
    assert len(errors) == 11
    wrong = dict(line.split("\t") for line in errors)["/photos/a.png"]
    assert wrong == (
        "/photos/a.png: its line is written, but not icdar (Is a directory); "
        "/photos/a.png: its line is written, but not labelme (File exists)"
    )
    assert dict(line.split("\t") for line in errors)["/photos/cut.jpg"].startswith(
        "/photos/cut.jpg: the end is missing;"
    )
    assert (tmp_path / "det_results" / "a.png").exists()
    (tmp_path / "icdar" / "a.png.txt").rmdir()
    (tmp_path / "labelme").unlink()
    with opened(tmp_path, resume=True) as outputs:
        go(outputs, listing(PHOTOS))
    whole_run(tmp_path / "whole")
    mended = relocated(tmp_path)
    assert {name: mended[name] for name in relocated(tmp_path / "whole")} == relocated(tmp_path / "whole")


@pytest.mark.parametrize("kind", ["lines", "jsonl", "crops", "errors"])
def test_a_full_disk_ends_the_run_in_words_and_it_goes_on_later(tmp_path: Path, kind: str) -> None:
    file = {
        "lines": "results.txt",
        "jsonl": "results.jsonl",
        "crops": "results_crops.txt",
        "errors": "results_errors.txt",
    }[kind]
    outputs = opened(tmp_path)
    write, count = os.write, [0]

    def full(descriptor: int, content: bytes) -> int:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path / file:
            count[0] += 1
            if count[0] == (1 if kind == "errors" else 6):
                write(descriptor, content[:7])  # what there was room for
            if count[0] >= (1 if kind == "errors" else 6):
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content)

    with mock.patch.object(appended.os, "write", full), pytest.raises(OutputError) as stopped, outputs:
        go(outputs, listing(PHOTOS))
    assert str(stopped.value).startswith(f"{tmp_path / file}: cannot write (No space left on device)")
    assert "--resume" in str(stopped.value)
    content = (tmp_path / file).read_bytes()
    assert content == b"" or content.endswith(b"\n")
    with opened(tmp_path, resume=True) as outputs:
        go(outputs, listing(PHOTOS))
    whole_run(tmp_path / "whole")
    mended = relocated(tmp_path)
    assert {name: mended[name] for name in relocated(tmp_path / "whole")} == relocated(tmp_path / "whole")


def test_a_full_disk_at_the_end_names_the_document_and_keeps_the_rest(tmp_path: Path) -> None:
    outputs = opened(tmp_path, ("coco", "sheet"))
    go(outputs, listing(PHOTOS))
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch.object(Path, "replace", side_effect=full), pytest.raises(OutputError) as stopped:
        outputs.close()
    assert "results_coco.json: cannot write (No space left on device)" in str(stopped.value)
    assert "results_sheet.jpg: cannot write" in str(stopped.value)
    assert not (tmp_path / "results_coco.json").exists()
    assert not list(tmp_path.glob("*.part"))
    assert (tmp_path / "results.jsonl").read_text().count("\n") == 11


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file.*cannot write"):
        OutputSet(["lines"], tmp_path / "file" / "r.txt", [])


def test_a_written_file_is_whole_or_as_before(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 251 + ".txt")  # as long as a name may be
    base.write_whole(file, b"one")
    with pytest.raises(RuntimeError), base.whole_file(file) as unfinished:
        unfinished.write_bytes(b"half")
        raise RuntimeError
    assert file.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [file]


def test_a_picture_that_failed_has_no_files(tmp_path: Path) -> None:
    path = PHOTOS / "bad.jpg"
    with OutputSet(ALL, tmp_path / "r.txt", [path]) as outputs:
        outputs.add(outputs.finish(broken(path)))
    assert {name for name in tree(tmp_path) if "/" in name} == set()
    assert (tmp_path / "r.txt").read_bytes() == b""
    assert json.loads((tmp_path / "r.jsonl").read_text())["error"] == "/photos/bad.jpg: not a picture"
    assert written_name(path) == "/photos/bad.jpg"
