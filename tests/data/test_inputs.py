"""What a run's pictures are: files, folders, patterns and lists, each once, in order; what is missing is named."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.inputs import ListError, list_pictures, read_list
from ppocr_pse.data.line_names import written_name
from ppocr_pse.data.picture_files import find_pictures
from ppocr_pse.data.shards import Shard

HERE = ["-x.jpg", "[1].jpg", "a.jpg", "b.PNG"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pictures, which is the working directory."""
    for name in ("a.jpg", "b.PNG", "notes.txt", "sub/c.jpg", "sub/deep/d.jpg", "sub/deep/a.jpg", "-x.jpg", "[1].jpg"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "e.jpg").write_bytes(b"x")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*places: str, **options: object) -> list[str]:
    listing = list_pictures(map(Path, places), **options)
    assert listing.missing == () and listing.everything == listing.paths
    return [str(path) for path in listing.paths]


def test_files_folders_and_several_of_them(tree: Path) -> None:
    assert paths("sub") == ["sub/c.jpg"]
    assert paths("sub", recursive=True) == ["sub/c.jpg", "sub/deep/a.jpg", "sub/deep/d.jpg"]
    assert paths("sub/deep", "notes.txt", "sub/c.jpg") == ["sub/deep/a.jpg", "sub/deep/d.jpg", "notes.txt", "sub/c.jpg"]
    assert paths("-x.jpg", "./-x.jpg", "[1].jpg") == ["-x.jpg", "[1].jpg"]
    assert paths(".") == HERE


def test_each_is_taken_once(tree: Path) -> None:
    assert paths("a.jpg", ".", "a.jpg", f"{tree}/sub/../a.jpg") == ["a.jpg", "-x.jpg", "[1].jpg", "b.PNG"]
    assert paths("sub", "sub/c.jpg", "sub/*.jpg") == ["sub/c.jpg"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["-x.jpg", "[1].jpg", "a.jpg"]),
        ("?.*", ["a.jpg", "b.PNG"]),
        ("**/*.jpg", ["-x.jpg", "[1].jpg", "a.jpg", "sub/c.jpg", "sub/deep/a.jpg", "sub/deep/d.jpg"]),
        ("sub/**/a.jpg", ["sub/deep/a.jpg"]),
        ("**/deep/*", ["sub/deep/a.jpg", "sub/deep/d.jpg"]),
        ("sub/**", ["sub/c.jpg", "sub/deep/a.jpg", "sub/deep/d.jpg", *(f"sub/loop/{name}" for name in HERE)]),
        ("s*", ["sub/c.jpg"]),
        (".hid*/*", [".hidden/e.jpg"]),
        ("[!a-z]x.jpg", ["-x.jpg"]),
        ("[[]1].jpg", ["[1].jpg"]),
        ("sub/l*/sub/*.jpg", ["sub/loop/sub/c.jpg"]),
    ],
)  # fmt: skip
def test_patterns_mean_what_they_mean_to_a_shell(tree: Path, pattern: str, expected: list[str]) -> None:
    assert paths(pattern) == expected
    assert paths(str(tree / pattern)) == [str(tree / name) for name in expected]


def test_what_is_not_there_is_named_and_the_rest_goes_on(tree: Path) -> None:
    (tree / "empty").mkdir()
    listing = list_pictures(map(Path, ["absent", "a.jpg", "*.tif", "empty", "sub/c.jpg"]))
    assert [path.name for path in listing.paths] == ["a.jpg", "c.jpg"]
    assert [name for name, _ in listing.missing] == ["absent", "*.tif", "empty"]
    wrong = " ".join(error for _, error in listing.missing)
    assert "no file or folder absent" in wrong and "nothing matches the pattern *.tif" in wrong
    assert "the folder empty holds no picture" in wrong and "--recursive" in wrong


def test_the_root_holds_all_that_is_named(tree: Path) -> None:
    assert list_pictures([Path("sub")]).root == tree / "sub"
    assert list_pictures([Path("sub/deep/a.jpg")]).root == tree / "sub/deep"
    assert list_pictures([Path("sub/**/*.jpg")]).root == tree / "sub"
    assert list_pictures([Path("sub/deep"), Path("sub/c.jpg")]).root == tree / "sub"
    (tree / "names").write_text("sub/c.jpg\n")
    assert list_pictures([Path("sub/deep")], ["names"]).root == tree / "sub"


def test_what_is_to_be_skipped_is_no_input(tree: Path) -> None:
    assert paths(".", recursive=True, skip=lambda place: "/deep/" in place or place.startswith(f"{tree}/.hidden/")) == [
        "-x.jpg", "[1].jpg", "a.jpg", "b.PNG", "sub/c.jpg",
    ]  # fmt: skip


def test_a_list_of_names(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b'\xef\xbb\xbfsub/c.jpg\r\n\na.jpg\t[{"transcription": ""}]\n"sub\\/deep/a.jpg"\t[]\n'
    content += b"b.PNG#page=2\t[]\nb.PNG#page=3"
    Path("names").write_bytes(content)
    expected = ["sub/c.jpg", "a.jpg", "sub/deep/a.jpg", "b.PNG"]
    assert paths(lists=["names"]) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert paths("-x.jpg", lists=["-"]) == ["-x.jpg", *expected]
    Path("a.jpg#page=1").write_bytes(b"x")
    Path("names").write_text("a.jpg#page=1\nabsent.jpg\n")
    listing = list_pictures([], ["names"])
    assert [str(path) for path in listing.paths] == ["a.jpg#page=1"], "a file of that name is meant by it"
    assert listing.missing == (("absent.jpg", "there is no file absent.jpg"),)
    assert list(map(str, listing.everything)) == ["a.jpg#page=1", "absent.jpg"]


def test_names_with_nul_between_them(tree: Path) -> None:
    names = ['"a\tb\n.jpg', "sub/c.jpg", os.fsdecode(b"caf\xe9.jpg")]
    for name in names:
        Path(name).write_bytes(b"x")
    Path("names").write_bytes(b"\0".join(map(os.fsencode, names)) + b"\0")
    assert paths(lists=["names"], null=True) == names


@given(st.lists(st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name and name.strip()), min_size=1))
@settings(max_examples=100, deadline=None)
def test_any_name_can_be_listed(tmp_path_factory: pytest.TempPathFactory, raw: list[bytes]) -> None:
    names = [os.fsdecode(name) for name in raw]
    file = tmp_path_factory.getbasetemp() / "any_names"
    file.write_bytes(b"\0".join(raw) + b"\0")
    assert list(read_list(str(file), null=True)) == names
    file.write_text("".join(f"{written_name(name)}\t[]\n" for name in names), encoding="utf-8")
    assert list(read_list(str(file))) == names


@pytest.mark.parametrize(
    ("content", "null", "words"),
    [(b"a\0b\0", False, "needs -0"), (b"a\nb\n", True, "leave out -0"), (None, False, "cannot read the list names")],
)
def test_a_list_that_is_none(tree: Path, content: bytes | None, null: bool, words: str) -> None:
    if content is not None:
        Path("names").write_bytes(content)
    with pytest.raises(ListError, match=words):
        list_pictures([], ["names"], null=null)


def test_an_empty_list_is_missing(tree: Path) -> None:
    Path("names").write_text("\n\n")
    assert list_pictures([], ["names"]).missing == (("names", "the list names names no picture"),)


def test_shards_share_all_pictures_and_none_twice(tree: Path) -> None:
    for i in range(40):
        Path(f"sub/deep/{i}.jpg").write_bytes(b"x")
    Path("names").write_text("\n".join(["a.jpg", "absent.jpg", *(f"sub/deep/{i}.jpg" for i in range(20))]))
    given = [[Path(place) for place in places] for places in (["sub", "sub/deep/3.jpg", "b.PNG"], [str(tree / "sub")])]
    for places in given:
        whole = list_pictures(places, ["names"], recursive=True)
        parts = [list_pictures(places, ["names"], recursive=True, shard=Shard(i, 3)) for i in range(3)]
        assert all(part.paths for part in parts)
        assert sorted(path for part in parts for path in part.paths) == sorted(whole.paths)
        assert [missing for part in parts for missing in part.missing] == list(whole.missing) != []
        assert {(part.root, part.everything) for part in parts} == {(whole.root, whole.everything)}


def test_a_shard_keeps_its_pictures_wherever_the_folder_is_and_whatever_is_added(tree: Path) -> None:
    for i in range(30):
        Path(f"sub/deep/{i}.jpg").write_bytes(b"x")

    def part(place: Path) -> set[str]:
        found = list_pictures([place], recursive=True, shard=Shard(1, 3)).paths
        return {str(path.absolute().relative_to(place.absolute())) for path in found}

    before = part(Path("sub"))
    (tree / "sub").rename(tree / "elsewhere")
    for i in range(100, 130):
        (tree / "elsewhere" / "deep" / f"{i}.jpg").write_bytes(b"x")
    (tree / "elsewhere" / "c.jpg").unlink()
    assert part(tree / "elsewhere") >= before - {"c.jpg"}


def test_a_folder_deeper_than_python_recurses(tmp_path: Path) -> None:
    inside = tmp_path
    for _ in range(900):
        inside /= "d"
        inside.mkdir()
    (inside / "a.jpg").write_bytes(b"x")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(500)
    try:
        assert find_pictures(tmp_path, recursive=True) == [inside / "a.jpg"]
    finally:
        sys.setrecursionlimit(limit)


def test_a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ListError, match=r"standard input \(it is closed\)"):
        list(read_list("-"))
