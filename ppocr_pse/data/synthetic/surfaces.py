"""Procedural surfaces (walls, wood, leaves, paper, lights): functions of a generator and a size."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ppocr_pse.data.synthetic.texture import (
    Image,
    clouds,
    grain,
    hsv,
    paint_colour,
    shaded,
    tint,
    to_image,
    wall_colour,
)

Surface = Callable[[np.random.Generator, int, int], Image]


def plaster(rng: np.random.Generator, height: int, width: int) -> Image:
    """A rendered or painted wall: stains, then grit."""
    field = rng.uniform(0.02, 0.1) * clouds(rng, height, width, rng.uniform(80, 400), 4)
    return tint(wall_colour(rng), field + rng.uniform(0.005, 0.06) * grain(rng, height, width), 1.0)


def sky(rng: np.random.Generator, height: int, width: int) -> Image:
    """A vertical gradient with soft clouds or none."""
    top, bottom = (wall_colour(rng) for _ in range(2))
    if rng.random() < 0.6:
        top, bottom = (
            hsv(rng.uniform(0.52, 0.66), rng.uniform(0.1, 0.7), rng.uniform(0.3, 1)),
            wall_colour(rng),
        )
    ramp = cv2.resize(np.stack([top, bottom])[:, None], (width, height), interpolation=cv2.INTER_LINEAR)
    veil = np.clip(0.5 * clouds(rng, height, width, (120, 300), 4), 0, 1) * rng.uniform(0, 120)
    return to_image(ramp + veil[:, :, None])


def bricks(rng: np.random.Generator, height: int, width: int) -> Image:
    """Courses of bricks, or a grid of tiles when the courses are not staggered."""
    tall = int(rng.integers(12, 60))
    wide = int(tall * rng.uniform(0.8, 3.2))
    stagger = wide // 2 if rng.random() < 0.7 else 0
    joint = int(rng.integers(1, max(2, tall // 6) + 1))
    colour, spread = wall_colour(rng), rng.uniform(0.02, 0.2)
    if rng.random() < 0.4:
        colour = hsv(rng.uniform(0.0, 0.07), rng.uniform(0.3, 0.75), rng.uniform(0.25, 0.7))
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = np.clip(wall_colour(rng), 0, 255)
    for row, top in enumerate(range(-int(rng.integers(tall)), height, tall)):
        for left in range(-wide + (row % 2) * stagger, width, wide):
            shade = colour * (1 + spread * rng.standard_normal())
            cv2.rectangle(
                canvas,
                (left + joint, top + joint),
                (left + wide - 1, top + tall - 1),
                np.clip(shade, 0, 255).tolist(),
                -1,
            )
    grit = rng.uniform(0.01, 0.08) * grain(rng, height, width) + 0.06 * clouds(rng, height, width, 200)
    return shaded(canvas, np.asarray(1 + grit, np.float32))


def facade(rng: np.random.Generator, height: int, width: int) -> Image:
    """Rows of windows with frames, bars and uneven reflections."""
    canvas = plaster(rng, height, width)
    pane_w, pane_h = int(rng.integers(24, 110)), int(rng.integers(30, 130))
    gap_x, gap_y = int(rng.integers(8, 80)), int(rng.integers(10, 80))
    frame = wall_colour(rng).tolist()
    glass = hsv(rng.uniform(0.5, 0.65), rng.uniform(0, 0.4), rng.uniform(0.08, 0.5))
    bars = int(rng.integers(0, 4))
    for top in range(-int(rng.integers(pane_h)), height, pane_h + gap_y):
        for left in range(-int(rng.integers(pane_w)), width, pane_w + gap_x):
            right, bottom = left + pane_w, top + pane_h
            lit = glass * rng.uniform(0.4, 1.8) if rng.random() < 0.85 else wall_colour(rng)
            cv2.rectangle(canvas, (left, top), (right, bottom), np.clip(lit, 0, 255).tolist(), -1)
            for bar in range(1, bars + 1):
                x = left + bar * pane_w // (bars + 1)
                cv2.line(canvas, (x, top), (x, bottom), frame, 2)
            cv2.rectangle(canvas, (left, top), (right, bottom), frame, int(rng.integers(1, 6)))
    return canvas


def stripes(rng: np.random.Generator, height: int, width: int) -> Image:
    """An awning, a shutter, corrugated metal: a one-dimensional profile with some wear."""
    period = rng.uniform(6, 90)
    upright = rng.random() < 0.5
    axis = np.arange(width if upright else height, dtype=np.float32)
    wave = np.sin(2 * np.pi * axis / period + rng.uniform(0, 6))
    profile = np.clip(wave * rng.choice([1.0, 30.0]), -1, 1)[:, None] * 0.5 + 0.5
    first = wall_colour(rng)
    second = paint_colour(rng) if rng.random() < 0.4 else first * rng.uniform(0.55, 0.9)
    line = first * profile + second * (1 - profile)
    line = line.astype(np.uint8)
    flat = np.ascontiguousarray(np.broadcast_to(line[None] if upright else line[:, None], (height, width, 3)))
    wear = 0.05 * clouds(rng, height, width, 160) + 0.02 * grain(rng, height, width)
    return shaded(flat, np.asarray(1 + wear, np.float32))


def planks(rng: np.random.Generator, height: int, width: int) -> Image:
    """Wooden boards with grain along them."""
    colour = hsv(rng.uniform(0.04, 0.12), rng.uniform(0.15, 0.7), rng.uniform(0.25, 0.85))
    fibres = clouds(rng, height, width, (rng.uniform(8, 30), rng.uniform(300, 900)), 4)
    board = int(rng.integers(40, 180))
    for top in range(0, height, board):
        fibres[top : top + board] = np.roll(fibres[top : top + board], int(rng.integers(width)), axis=1)
        fibres[top : top + board] += rng.normal(0, 0.8)
        fibres[top : top + 2] -= 3
    picture = tint(colour, fibres, rng.uniform(0.05, 0.15))
    return picture if rng.random() < 0.5 or height != width else np.ascontiguousarray(picture.transpose(1, 0, 2))


def foliage(rng: np.random.Generator, height: int, width: int) -> Image:
    """Leaves of many sizes over darkness."""
    hue = rng.uniform(0.16, 0.4) if rng.random() < 0.8 else rng.uniform(0.02, 0.14)
    canvas = tint(hsv(hue, 0.6, 0.2), clouds(rng, height, width, 60, 4), 0.4)
    size = rng.uniform(5, 22)
    count = int(min(1500, 1.6 * height * width / (size * size * 3)))
    centres = rng.uniform((0, 0), (width, height), (count, 2)).astype(np.int64)
    axes = (size * rng.uniform(0.4, 1.6, (count, 2))).astype(np.int64) + 1
    tones = rng.uniform((-0.05, 0.3, 0.15), (0.05, 0.9, 0.75), (count, 3))
    for centre, (a, b), angle, (shift, saturation, value) in zip(
        centres, axes, rng.uniform(0, 180, count), tones, strict=True
    ):
        colour = hsv(hue + shift, saturation, value).tolist()
        cv2.ellipse(canvas, centre.tolist(), (int(a), int(b // 2 + 1)), angle, 0, 360, colour, -1)
    return shaded(canvas, 1 + 0.12 * clouds(rng, height, width, 150))


def asphalt(rng: np.random.Generator, height: int, width: int) -> Image:
    """Road, gravel, carpet: strong fine grain."""
    coarse = cv2.GaussianBlur(grain(rng, height, width), (0, 0), rng.uniform(0.5, 2.2))
    field = coarse / coarse.std() * rng.uniform(0.05, 0.25) + 0.08 * clouds(rng, height, width, 250)
    return tint(wall_colour(rng), field, 1.0)


def marble(rng: np.random.Generator, height: int, width: int) -> Image:
    """Veins: a sine of a slanted ramp pushed about by clouds."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / rng.uniform(15, 60)
    veins = 1 - np.abs(np.sin(ramp + rng.uniform(1, 3) * clouds(rng, height, width, 200, 4)))
    return tint(wall_colour(rng), -(veins ** rng.uniform(3, 9)), rng.uniform(0.1, 0.5))


def night_lights(rng: np.random.Generator, height: int, width: int) -> Image:
    """Out-of-focus lamps over a dark ground."""
    canvas = tint(hsv(rng.random(), rng.uniform(0, 0.7), rng.uniform(0.05, 0.25)), clouds(rng, height, width, 200), 0.3)
    for _ in range(int(rng.integers(8, 60))):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        glow = hsv(rng.choice([0.02, 0.1, 0.14, 0.6, rng.random()]), rng.uniform(0.1, 0.9), rng.uniform(0.3, 1))
        cv2.circle(canvas, centre, int(rng.integers(3, 34)), glow.tolist(), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(1.0, 7.0)), np.uint8)


def ruled_paper(rng: np.random.Generator, height: int, width: int) -> Image:
    """A form or table: light paper with rules in one or both directions."""
    paper = hsv(rng.uniform(0.05, 0.18), rng.uniform(0, 0.15), rng.uniform(0.75, 1.0))
    canvas = tint(paper, clouds(rng, height, width, 300), 0.03)
    ink = (paper * rng.uniform(0.2, 0.85)).tolist()
    pitch = int(rng.integers(18, 90))
    for top in range(int(rng.integers(pitch)), height, pitch):
        cv2.line(canvas, (0, top), (width, top), ink, int(rng.integers(1, 3)))
    x = 0
    while rng.random() < 0.9 and x < width:
        x += int(rng.integers(30, 220))
        cv2.line(canvas, (x, 0), (x, height), ink, 1)
    return canvas


def shelves(rng: np.random.Generator, height: int, width: int) -> Image:
    """Rows of boxes and bottles without print."""
    canvas = tint(wall_colour(rng) * 0.4, clouds(rng, height, width, 200), 0.1)
    pitch, board = int(rng.integers(60, 170)), wall_colour(rng).tolist()
    for bottom in range(pitch, height + pitch, pitch):
        x = 0
        while x < width:
            wide, tall = int(rng.integers(12, 70)), int(pitch * rng.uniform(0.4, 0.9))
            colour = paint_colour(rng) * rng.uniform(0.5, 0.95)
            for _ in range(int(rng.integers(1, 5))):
                cv2.rectangle(canvas, (x, bottom - tall), (x + wide, bottom), colour.tolist(), -1)
                band = bottom - int(tall * rng.uniform(0.2, 0.6))
                cv2.rectangle(
                    canvas,
                    (x, band),
                    (x + wide, band + tall // 6),
                    (colour * 0.7 + 60).clip(0, 255).tolist(),
                    -1,
                )
                cv2.rectangle(canvas, (x, bottom - tall), (x + wide, bottom), (colour * 0.5).tolist(), 1)
                x += wide + int(rng.integers(0, 4))
            x += int(rng.integers(0, 30))
        cv2.rectangle(canvas, (0, bottom), (width, bottom + pitch // 10), board, -1)
    return shaded(canvas, 1 + 0.05 * clouds(rng, height, width, 100))


SURFACES: tuple[Surface, ...] = (
    plaster,
    plaster,
    sky,
    bricks,
    bricks,
    facade,
    stripes,
    planks,
    foliage,
    asphalt,
    marble,
    night_lights,
    ruled_paper,
    shelves,
)
"""What a background is drawn from; plain walls twice, since most text in streets stands on them."""
