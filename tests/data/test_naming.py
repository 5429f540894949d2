"""Which picture a name in a results file means: strict before lenient, never two, never a guess."""

from __future__ import annotations

import random

import pytest

from ppocr_pse.data.naming import assign, picture_number


@pytest.mark.parametrize(
    ("name", "picture", "by_number"),
    [
        ("a/img_1.jpg", "a/img_1.jpg", False),
        ("./a/img_1.jpg", "a/img_1.jpg", False),
        ("/data/set/a/img_1.jpg", "a/img_1.jpg", False),
        ("img_1.jpg", "/data/a/img_1.jpg", False),
        ("elsewhere\\img_1.jpg", "a/img_1.jpg", False),
        ("img_1", "a/img_1.jpg", False),
        ("img_1.png", "a/img_1.jpg", False),
        ("img.v1", "img.v1.jpg", False),
        ("img_12", "test/ts_0012.png", True),
    ],
)
def test_names_of_one_picture(name: str, picture: str, by_number: bool) -> None:
    found = assign([name], ["a/other.jpg", picture, "img_2.jpg"], by_number)
    assert found.owners == (1,) and found.problems == ()


def test_unknown_names_are_told() -> None:
    found = assign(["img_3.jpg", "img_1.jpg"], ["img_1.jpg"])
    assert found.owners == (-1, 0)
    assert found.problems == ("img_3.jpg: no such picture in the ground truth",)
    assert assign(["img_12"], ["ts_0012.png"]).owners == (-1,), "a number counts only when asked for"
    assert assign(["cover"], ["back.png"], by_number=True).owners == (-1,), "no number is not a number"


def test_folders_tell_pictures_of_one_name_apart() -> None:
    pictures = ["train/a/1.jpg", "test/a/1.jpg", "test/b/1.jpg"]
    found = assign(["/x/test/a/1.jpg", "b/1.jpg", "1.jpg"], pictures)
    assert found.owners == (1, 2, -1)
    assert found.problems == (
        "1.jpg: may mean 3 pictures (train/a/1.jpg, test/a/1.jpg, test/b/1.jpg); give more of its path",
    )


def test_a_picture_is_given_away_once_and_to_the_stricter_name() -> None:
    """Whatever the order, the whole path wins; the other name is told."""
    for names in (["b/1.jpg", "a/1.jpg"], ["a/1.jpg", "b/1.jpg"]):
        found = assign(names, ["a/1.jpg"])
        assert found.owners[names.index("a/1.jpg")] == 0 and found.owners[names.index("b/1.jpg")] == -1
        assert found.problems == ("b/1.jpg: a/1.jpg has results already, named a/1.jpg",)


def test_order_is_of_no_consequence() -> None:
    pictures = [f"d{i % 3}/img_{i}.jpg" for i in range(40)]
    names = [f"d{i % 3}/img_{i}.jpg" if i % 2 else f"img_{i}" for i in range(40)]
    shuffled = random.Random(0).sample(names, 40)
    owners = dict(zip(shuffled, assign(shuffled, pictures).owners))
    assert [owners[name] for name in names] == list(range(40))


@pytest.mark.parametrize(
    ("name", "number"),
    [("res_img_12.txt", 12), ("img_007.jpg", 7), ("a2/ts_3_part4.png", 4), ("cover.jpg", None), ("img_1.jp2", 1)],
)
def test_picture_number(name: str, number: int | None) -> None:
    assert picture_number(name) == number
