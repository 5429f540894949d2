"""Make examples/photos/: ``python docs/figures/photos.py`` from the root; examples/photos/README.md has the sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import skimage

from ppocr_pse.data.synthetic import camera

TARGET = Path("examples/photos")
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
SKIMAGE = Path(skimage.__file__).parent / "data"
HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
SANS, SERIF, MONO = "DejaVuSans-Bold.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono-Bold.ttf"
Image = npt.NDArray[np.uint8]
Quad = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Sign:
    """Lettering on a board, or painted on what is there when it has no board.

    Attributes:
        text: lines.
        corners: of the board in the picture, pixels x, y, clockwise from its upper left.
        ink: RGB.
        board: RGB, or None.
        font: file name.
    """

    text: str
    corners: Quad
    ink: tuple[int, int, int]
    board: tuple[int, int, int] | None = None
    font: str = SANS


def photo(file: Path, width: int, tint: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Image:
    """A picture at a width in pixels, uint8 (H, W, 3) BGR; its channels, RGB, multiplied by ``tint``."""
    rgb = np.asarray(PIL.Image.open(file).convert("RGB"), np.float32) * tint
    height = round(width * rgb.shape[0] / rgb.shape[1])
    resized = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(resized, 0, 255).astype(np.uint8)[:, :, ::-1].copy()


def lettering(sign: Sign) -> PIL.Image.Image:
    """The sign from the front, RGBA."""
    font = PIL.ImageFont.truetype(str(FONTS / sign.font), 120)
    left, top, right, bottom = PIL.ImageDraw.Draw(PIL.Image.new("L", (1, 1))).multiline_textbbox(
        (0, 0), sign.text, font, align="center", spacing=36
    )
    margin = 56 if sign.board else 8
    size = round(right - left + 2 * margin), round(bottom - top + 2 * margin)
    face = PIL.Image.new("RGBA", size, (*sign.ink, 0))
    draw = PIL.ImageDraw.Draw(face)
    if sign.board:
        draw.rounded_rectangle((4, 4, size[0] - 5, size[1] - 5), 28, (*sign.board, 255), (*sign.ink, 255), 8)
    draw.multiline_text((margin - left, margin - top), sign.text, (*sign.ink, 255), font, align="center", spacing=36)
    return face


def hang(picture: Image, sign: Sign) -> Image:
    """Put a sign into a picture, in its perspective and its light."""
    face = np.asarray(lettering(sign), np.float32)
    height, width = face.shape[:2]
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, np.array(sign.corners, np.float32))
    face[:, :, :3] = face[:, :, 2::-1]
    seen = cv2.warpPerspective(face, matrix, picture.shape[1::-1], flags=cv2.INTER_AREA)
    cover = seen[:, :, 3:] / 255 * (1.0 if sign.board else 0.85)
    ground = picture.astype(np.float32)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    light = cv2.GaussianBlur(grey, (0, 0), 30 if sign.board else 2)[:, :, None]
    shade = np.clip(0.6 + 0.4 * light / light.mean(), 0.4, 1.3)
    return np.clip(ground * (1 - cover) + seen[:, :, :3] * shade * cover, 0, 255).astype(np.uint8)


def scene(picture: Image, signs: list[Sign], seed: int) -> Image:
    """A picture with signs, seen by a camera: uneven light, lens, noise."""
    for sign in signs:
        picture = hang(picture, sign)
    rng = np.random.default_rng(seed)
    return camera.sensor(rng, camera.lens(rng, camera.light(rng, picture), 0.7), 4.0)


def street() -> Image:
    """Signs on a wall of bricks."""
    wall = np.rot90(photo(SKIMAGE / "brick.png", 1100, (1.25, 0.85, 0.7)))[150:950].copy()
    return scene(
        wall,
        [
            Sign("CORNER BAKERY", ((70, 60), (760, 130), (755, 270), (65, 225)), (250, 240, 215), (90, 30, 25), SERIF),
            Sign(
                "FRESH BREAD\nCAKES & PIES",
                ((100, 300), (470, 325), (468, 490), (98, 480)),
                (30, 30, 30),
                (235, 225, 190),
            ),
            Sign("NO\nPARKING", ((840, 250), (1010, 270), (1008, 430), (838, 420)), (250, 250, 250), (190, 20, 30)),
            Sign("OPEN", ((560, 400), (720, 410), (718, 480), (558, 474)), (250, 250, 250), (20, 110, 60)),
            Sign("Kiln Lane 47", ((620, 590), (960, 585), (960, 650), (620, 660)), (245, 245, 245)),
            Sign("POST NO BILLS", ((90, 640), (430, 655), (428, 705), (88, 694)), (40, 35, 35), None, MONO),
        ],
        3,
    )


def car_park() -> Image:
    """Paint on gravel, and signs."""
    ground = photo(SKIMAGE / "gravel.png", 1024, (0.95, 0.95, 1.0))[:720]
    return scene(
        ground,
        [
            Sign("SLOW", ((300, 430), (720, 430), (800, 610), (220, 610)), (245, 240, 225)),
            Sign("EXIT", ((410, 250), (620, 250), (640, 330), (395, 330)), (240, 200, 60)),
            Sign("PAY\nHERE", ((60, 40), (220, 60), (220, 250), (60, 240)), (250, 250, 250), (20, 60, 150)),
            Sign("Max 2 hours", ((700, 70), (980, 40), (985, 110), (705, 135)), (20, 20, 20), (250, 205, 40)),
        ],
        4,
    )


def cafe() -> Image:
    """Cards on a table."""
    table = photo(SKIMAGE / "coffee.png", 1080)
    return scene(
        table,
        [
            Sign("MENU", ((40, 40), (230, 20), (250, 110), (55, 135)), (70, 30, 20), (245, 238, 220), SERIF),
            Sign(
                "Espresso 2.40\nFlat White 3.20\nHot Chocolate 3.50",
                ((830, 500), (1070, 470), (1075, 640), (850, 680)),
                (50, 40, 35),
                (250, 246, 235),
            ),
            Sign("Cake", ((60, 560), (220, 600), (205, 670), (45, 625)), (250, 250, 240), (60, 90, 80), SERIF),
        ],
        5,
    )


def launch() -> Image:
    """Signs at dusk."""
    night = photo(SKIMAGE / "rocket.jpg", 1000)
    return scene(
        night,
        [
            Sign("VIEWING AREA", ((60, 480), (400, 500), (400, 575), (60, 570)), (250, 250, 250), (25, 90, 60)),
            Sign("Pad 40", ((640, 520), (800, 510), (800, 565), (640, 570)), (240, 240, 240), (30, 30, 40)),
            Sign("T-MINUS 00:58", ((90, 90), (380, 70), (385, 130), (95, 155)), (255, 120, 40), None, MONO),
        ],
        6,
    )


def main() -> None:
    """Write all pictures."""
    pictures = {
        "street.jpg": street(),
        "car_park.jpg": car_park(),
        "cafe.jpg": cafe(),
        "launch.jpg": launch(),
        "coffee.jpg": photo(SKIMAGE / "coffee.png", 600),
        "page.jpg": photo(SKIMAGE / "page.png", 384),
        "officer.jpg": photo(HOPPER, 512),
        "astronaut.jpg": photo(SKIMAGE / "astronaut.png", 512),
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(TARGET / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
