"""`ppocr-pse infer`: detect text in a picture or a folder of pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import load_trained, make_parser, read_config, run_in_words, start_run
from ppocr_pse.data.line_names import page_name

if TYPE_CHECKING:
    from ppocr_pse.config import Config

EXAMPLES = """\
  ppocr-pse infer -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.infer_img=photos/street.jpg

  # a folder with its subfolders
  ppocr-pse infer --recursive -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.infer_img=photos \\
      Global.save_res_path=found/results.txt

  # larger scans than the limit of 500 megapixels against decompression bombs allows
  ppocr-pse infer -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.infer_img=scans Global.max_pixels=0

The results file has a line for every picture that could be read, for every page of a TIFF and frame of a GIF:
PATH<TAB>[{"transcription": "", "points": [[x, y], ...], "score": s}, ...]
where PATH is FILE, or FILE#page=N (N from 1) when the file holds several pictures, or that as a JSON string when it
holds a TAB, a line break or bytes that are no UTF-8. Drawn pictures go to det_results/ beside it. What could not be
used stands in RESULTS_errors.txt, PATH<TAB>what is wrong, and the exit code is then 1.
"""

DRAWABLE = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def main(argv: Sequence[str]) -> int:
    """Parse arguments and detect."""
    parser = make_parser("infer", "Detect text in a picture or a folder of pictures.", EXAMPLES)
    parser.add_argument("-r", "--recursive", action="store_true", help="look into subfolders too")
    parser.add_argument("--scores", action="store_true", help="write the score beside each drawn text")
    arguments = parser.parse_args(argv)
    return run_in_words(lambda: infer(read_config(arguments), arguments))


def infer(config: Config, arguments: argparse.Namespace) -> int:
    """Detect as a configuration says; 1 when a picture could not be used."""
    from tqdm import tqdm

    from ppocr_pse import build
    from ppocr_pse.data.labels import format_label_line
    from ppocr_pse.data.line_names import written_name
    from ppocr_pse.data.picture_files import find_pictures
    from ppocr_pse.engine.predictor import as_bgr
    from ppocr_pse.schema import ConfigError
    from ppocr_pse.visualize import draw_detections, write_image

    settings = config.settings
    if not settings.infer_img:
        raise ConfigError(f"{config.path}: no pictures are named; add -o Global.infer_img=FILE_OR_FOLDER")
    place = Path(settings.infer_img)
    try:
        pictures = find_pictures(place, arguments.recursive)
    except FileNotFoundError as error:
        raise ConfigError(f"Global.infer_img: {error}") from None
    logger = start_run(config, None)
    predictor = build.build_predictor(config, load_trained(config, logger))
    decode = predictor.preprocess.decode
    if settings.max_pixels is not None:
        decode = replace(decode, max_pixels=settings.max_pixels)
        predictor.preprocess = replace(predictor.preprocess, decode=decode)
    results_file = Path(settings.save_res_path)
    drawn_dir = results_file.parent / "det_results"
    earlier = drawn_dir.absolute()  # what an earlier run drew is no input
    pictures = [path for path in pictures if earlier not in path.absolute().parents]
    results_file.parent.mkdir(parents=True, exist_ok=True)
    names = DrawnNames(place if place.is_dir() else place.parent, drawn_dir)
    faults: list[tuple[str, str]] = []
    texts = done = count = 0
    with results_file.open("w", encoding="utf-8") as results:
        stream = predictor.stream(tqdm(pictures, desc="detect", unit="file", disable=None), workers=2, pages=True)
        for result in stream:
            count += 1
            name, wrong = written_name(result.name), result.error
            if result.image is not None:
                found = result.detections
                line = format_label_line(name, [""] * len(found), found.polygons, found.scores.tolist())
                results.write(line + "\n")
                results.flush()
                texts, done = texts + len(found), done + 1
                try:
                    image = draw_detections(as_bgr(result.image, decode.img_mode), found, arguments.scores)
                    write_image(names.of(result.path, result.page), image)
                except OSError as fault:
                    wrong = wrong or f"{name}: its line is written, its drawing is not ({fault.strerror or fault})"
            if wrong:
                faults.append((name, wrong))
                logger.error(wrong)
    errors_file = results_file.with_name(f"{results_file.stem}_errors.txt")
    write_errors(errors_file, faults)
    logger.info(f"{texts} texts in {done} pictures; results: {results_file}, drawn pictures: {drawn_dir}")
    if faults:
        logger.error(f"{len(faults)} of {count} pictures could not be used, see above and {errors_file}")
    return 1 if faults else 0


def write_errors(file: Path, faults: Sequence[tuple[str, str]]) -> None:
    """Write ``NAME<TAB>what is wrong`` lines; the file of an earlier run goes when there are none."""
    if not faults:
        file.unlink(missing_ok=True)
        return
    lines = (f"{name}\t{' '.join(error.split())}\n" for name, error in faults)
    file.write_text("".join(lines), encoding="utf-8", errors="backslashreplace")


class DrawnNames:
    """Names for drawn pictures: the folder tree is kept, and no two pictures share a name.

    Args:
        root: folder that the pictures lie in.
        target: folder for the drawn ones.
    """

    def __init__(self, root: Path, target: Path) -> None:
        self.root = root
        self.target = target
        self.taken: set[Path] = set()

    def of(self, path: Path, page: int = 0) -> Path:
        """Name the drawn picture of ``path``; pages, and formats that cannot be written, become PNG."""
        inside = path.relative_to(self.root)
        name = inside if inside.suffix.lower() in DRAWABLE and not page else Path(f"{page_name(inside, page)}.png")
        candidate, number = self.target / name, 2
        while candidate in self.taken:
            candidate = self.target / name.with_name(f"{name.stem}-{number}{name.suffix}")
            number += 1
        self.taken.add(candidate)
        return candidate
