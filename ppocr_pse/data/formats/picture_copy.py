"""Copy the pictures of a folder or a zip to a folder, GIFs as PNG, for programs that read pictures by OpenCV."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path, PurePosixPath

from ppocr_pse.data.formats.picture_folder import SUFFIXES
from ppocr_pse.data.formats.sources import Source, open_sources
from ppocr_pse.data.labels import LabelError


def copy_pictures(pictures: Path, target: Path) -> list[str]:
    """Copy all pictures with the folders they are in; what is there already is written anew.

    Args:
        pictures: folder or zip.
        target: folder, made if missing.

    Returns:
        A message for each picture that was left out.

    Raises:
        LabelError: if there are no pictures, or the two folders are the same.
    """
    if pictures.resolve() == target.resolve():
        raise LabelError(f"{target}: the pictures are there already; name another folder to copy them to")
    problems = []
    with open_sources(pictures) as sources:
        chosen = [source for source in sources if PurePosixPath(source.name).suffix.lower() in SUFFIXES]
        if not chosen:
            raise LabelError(f"{pictures}: no pictures there ({', '.join(SUFFIXES)})")
        for source in chosen:
            try:
                _copy(source, target)
            except LabelError as error:
                problems.append(f"{error}; this picture is left out")
    return problems


def _copy(source: Source, target: Path) -> None:
    inside = PurePosixPath(source.path.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts:
        raise LabelError(f"{source.place}: the path leads out of the folder")
    content = source.content()
    if inside.suffix.lower() == ".gif":
        content, inside = _png_of_gif(content, source.place), inside.with_suffix(".png")
    file = target / inside
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _png_of_gif(content: bytes, place: str) -> bytes:
    """The first frame."""
    try:
        from PIL import Image
    except ImportError:
        raise LabelError(f"{place}: converting GIF needs Pillow; pip install pillow") from None
    encoded = BytesIO()
    try:
        with Image.open(BytesIO(content)) as picture:
            picture.convert("RGB").save(encoded, "PNG")
    except (OSError, ValueError, SyntaxError):
        raise LabelError(f"{place}: not a GIF that can be read") from None
    return encoded.getvalue()
