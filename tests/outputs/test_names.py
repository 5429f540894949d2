"""Names for files of single pictures: no two alike, none outside, and decided by the listing alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ppocr_pse.outputs.names import OutputNames
from tests.hostile import good

ROOT = Path("/photos")


def names_of(*inside: str) -> OutputNames:
    return OutputNames([ROOT / name for name in inside], ROOT)


def test_the_tree_and_the_names_are_kept() -> None:
    names = names_of("b/a.jpg", "same.jpg", "same.png", "x.GIF", "scan.tif", "old.jp2")
    assert names.root == ROOT
    drawn = {str(names.drawn(ROOT / name, page)) for name, page in [("b/a.jpg", 0), ("same.jpg", 0), ("same.png", 0)]}
    assert drawn == {"b/a.jpg", "same.jpg", "same.png"}
    assert str(names.drawn(ROOT / "x.GIF")) == "x.GIF.png"
    assert str(names.drawn(ROOT / "old.jp2")) == "old.jp2.png"
    assert str(names.drawn(ROOT / "scan.tif", 2)) == "scan.tif#page=2.png"
    assert str(names.drawn(ROOT / "scan.tif")) == "scan.tif"
    assert str(names.drawn(ROOT / "b/a.jpg", prefix="det_res_")) == "b/det_res_a.jpg"
    assert str(names.sidecar(ROOT / "b/a.jpg", 0, ".txt")) == "b/a.txt"
    assert str(names.sidecar(ROOT / "same.jpg", 0, ".txt")) == "same.jpg.txt"
    assert str(names.sidecar(ROOT / "same.png", 0, ".json")) == "same.png.json"
    assert str(names.sidecar(ROOT / "scan.tif", 3, "")) == "scan#page=3"


@pytest.mark.parametrize(
    ("listing", "path", "page", "kind"),
    [
        (["a.gif", "a.gif.png"], "a.gif", 0, "drawn"),
        (["a.tif", "a.tif#page=2.png"], "a.tif", 2, "drawn"),
        (["a.tif", "a.tif#page=2"], "a.tif", 2, "drawn"),
        (["a.gif", "a.gif.png/b.jpg"], "a.gif", 0, "drawn"),
        (["a.tif", "a#page=2.jpg"], "a.tif", 2, ".txt"),
        (["a.jpg", "a.txt/b.jpg"], "a.jpg", 0, ".txt"),
    ],
)
def test_a_name_that_another_picture_has_is_marked(listing: list[str], path: str, page: int, kind: str) -> None:
    names = names_of(*listing)
    made = names.drawn(ROOT / path, page) if kind == "drawn" else names.sidecar(ROOT / path, page, kind)
    assert "~" in str(made)


def test_a_stem_that_is_a_folder_or_another_picture_is_not_used() -> None:
    assert str(names_of("a.jpg", "a/0001.png").sidecar(ROOT / "a.jpg", 0, "")) == "a.jpg"  # crops lie in that folder
    assert str(names_of("a.b.jpg", "a.b", "a.jpg").sidecar(ROOT / "a.b.jpg", 0, "")) == "a.b.jpg"


def test_pictures_from_anywhere_stay_below_the_deepest_common_folder() -> None:
    listing = [Path("/data/x/1.jpg"), Path("/data/y/1.jpg"), Path("/data/x/../z/2.jpg")]
    names = OutputNames(listing)
    assert names.root == Path("/data")
    assert [str(names.drawn(path)) for path in listing] == ["x/1.jpg", "y/1.jpg", "z/2.jpg"]
    assert OutputNames(listing, Path("/data/x")).root == Path("/data")
    assert OutputNames([Path("//data/x/1.jpg"), Path("/data/y/1.jpg")]).root == Path("/data")
    assert OutputNames([Path("/1.jpg")]).drawn(Path("/1.jpg")) == Path("1.jpg")
    assert OutputNames([]).root == Path.cwd()
    assert OutputNames([Path("..", "up.jpg")]).root == Path.cwd().parent
    with pytest.raises(ValueError, match="not among the pictures"):
        names.drawn(Path("/elsewhere/1.jpg"))


def test_one_picture_by_two_paths_has_two_names() -> None:
    listing = [Path("/data/a.jpg"), Path("/data/b/../a.jpg")]
    names = OutputNames(listing)
    drawn = [names.drawn(path) for path in listing]
    assert len(set(drawn)) == 2
    assert all(name.suffix in (".jpg", ".png") for name in drawn)


def test_long_names_are_cut_to_what_a_file_system_takes(tmp_path: Path) -> None:
    long = ["é" * 125 + ".gif", "é" * 125 + ".jp2", "x" * 251 + ".jpg"]
    names = names_of(*long)
    made = {names.sidecar(ROOT / name, page, ".json") for name in long for page in (0, 1, 2)}
    made |= {names.drawn(ROOT / name, page, "det_res_") for name in long for page in (0, 1, 2)}
    assert len(made) == 18
    for file in made:
        (tmp_path / file).write_bytes(b"")
    assert {file.suffix for file in made} == {".json", ".png", ".jpg"}


# few and similar parts, so that names meet
PART = st.sampled_from(
    ["a", "a.png", "a.gif", "a.tif", "a.txt", "a.b", "#page=2", "a#page=2", "-c", "\udce9", "\t", "é"]
)
ENDING = st.sampled_from(["", ".png", ".gif", ".tif", ".jpg", ".txt", "#page=2", "#page=2.png", ".gif.png", "~"])
NAME = st.builds(str.__add__, PART, ENDING)
TREE = st.lists(st.lists(NAME, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12, unique=True)


def possible(tree: list[str]) -> list[str]:
    """Without files that are folders of others."""
    folders = {str(parent) for name in tree for parent in Path(name).parents}
    return [name for name in tree if name not in folders]


@settings(max_examples=60, deadline=None)
@example(["a", "a#page=2", "a#page=2.png"], random.Random(0))
@given(TREE, st.randoms())
def test_no_two_files_share_a_name_and_the_order_has_no_say(tree: list[str], chance: random.Random) -> None:
    listing = [ROOT / name for name in possible(tree)]
    shuffled = chance.sample(listing, len(listing))
    one, other = OutputNames(listing, ROOT), OutputNames(shuffled, ROOT)
    every = [(path, page) for path in listing for page in (0, 1, 2)]
    for made in (
        {pair: one.drawn(*pair) for pair in every},
        {pair: one.sidecar(*pair, ".txt") for pair in every},
        {pair: one.sidecar(*pair, "") / "0001.png" for pair in every},
    ):
        assert len(set(made.values())) == len(every)
        folders = {parent for file in made.values() for parent in file.parents}
        assert folders.isdisjoint(made.values())  # all can stand beside each other
        assert not any(file.is_absolute() or ".." in file.parts for file in made.values())
    assert [one.drawn(*pair) for pair in every] == [other.drawn(*pair) for pair in every]
    assert [one.sidecar(*pair, ".txt") for pair in every] == [other.sidecar(*pair, ".txt") for pair in every]


def test_hostile_names_can_be_written(tmp_path: Path) -> None:
    listing = [tmp_path / "in" / name for name in good()]
    names = OutputNames(listing, tmp_path / "in")
    made = [names.drawn(path, page) for path in listing for page in (0, 1)]
    made += [names.sidecar(path, page, ".txt") for path in listing for page in (0, 1)]
    for file in made:
        target = tmp_path / "out" / file
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(b"")
    assert len(list((tmp_path / "out").iterdir())) == len(made) == 4 * len(listing)
