"""Texts for synthetic scenes: sign vocabulary, invented words, numbers."""

from __future__ import annotations

from functools import cache

import numpy as np

_VOCABULARY = """
open closed sale exit entrance parking bakery coffee fresh hotel market street bank police station
airport north south east west left right stop slow school church museum library garden park river
bridge road lane avenue square platform ticket office post mail pharmacy clinic dental salon barber
shoes fashion jeans sport books music video photo camera mobile computer repair service center city
town bus taxi train metro lift stairs toilet women men staff only no smoking entry push pull welcome
thank you please keep clean danger high voltage caution wet floor fire alarm hose water gas oil
diesel super lotto cafe bar grill pizza sushi noodle chicken burger tea milk bread fruit flower gift
toys kids baby home kitchen bath bed light paint tools wood steel glass iron gold silver diamond
royal king queen star moon sun sea blue red green black white new big small best price free off
today tomorrow week month year hour monday friday sunday the and of for to in on at by from with
your our all more less up down floor level zone gate room block tower house villa plaza mall outlet
express limited group trust life global world national international union first second grand
central
"""
_ONSETS = """
b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sc sh sk sl sp st t th tr v w y z
"""
_NUCLEI = "a a a e e e i i o o u ai ea ee ie oa oo ou"
_CODAS = "b ck d ft g l ld ll m mp n nd ng nt p r rd rk rn rt s sh ss st t th x"
_ENDINGS = "er ing s s ly tion y o al"


@cache
def _split(words: str) -> tuple[str, ...]:
    return tuple(words.split())


def _pick(rng: np.random.Generator, words: str) -> str:
    choices = _split(words)
    return choices[int(rng.integers(len(choices)))]


def _invented(rng: np.random.Generator) -> str:
    letters = ""
    for _ in range(int(rng.integers(1, 4))):
        letters += _pick(rng, _ONSETS) + _pick(rng, _NUCLEI)
        letters += _pick(rng, _CODAS) if rng.random() < 0.7 else ""
    return letters[:11] + (_pick(rng, _ENDINGS) if rng.random() < 0.6 else "")


def _number(rng: np.random.Generator) -> str:
    value = int(rng.integers(10_000))
    forms = (
        f"{value}",
        f"{value % 100}",
        f"{value % 100}%",
        f"${value / 100:.2f}",
        f"{value / 100:.2f}",
        f"{value % 24}:{value % 60:02d}",
        f"{1900 + value % 130}",
        f"#{value % 1000:02d}-{value % 100:02d}",
        f"{value % 1000:03d}-{value:04d}",
        f"{value % 100}km",
        f"+{value % 100}-{value}",
    )
    return forms[int(rng.integers(len(forms)))]


def draw_word(rng: np.random.Generator, casing: int) -> str:
    """Draw one printable ASCII word without blanks, 1 to 15 characters.

    Args:
        rng: where the random numbers come from.
        casing: 0 upper, 1 capitalised, 2 lower; the words of a line share theirs.
    """
    kind = rng.random()
    if kind < 0.14:
        return _number(rng)
    word = _pick(rng, _VOCABULARY) if kind < 0.6 else _invented(rng)
    word = (word.upper(), word.capitalize(), word)[casing]
    mark = rng.random()
    if mark < 0.09:
        word += _pick(rng, ". , : ; ! ?")
    elif mark < 0.11:
        word = f"({word})"
    elif mark < 0.13:
        word = f"{word}-{rng.integers(1, 100)}"
    elif mark < 0.15:
        word += "'s" if casing else "'S"
    elif mark < 0.16:
        word = "&"
    return word


def draw_line(rng: np.random.Generator, count: int) -> list[str]:
    """Draw ``count`` words that are written in one casing."""
    casing = int(rng.choice(3, p=[0.45, 0.35, 0.2]))
    return [draw_word(rng, casing) for _ in range(count)]
