"""`ppocr-pse infer`: detect text in a picture or a folder of pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import load_trained, make_parser, read_config, run_in_words, start_run

if TYPE_CHECKING:
    from ppocr_pse.config import Config

EXAMPLES = """\
  ppocr-pse infer -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.infer_img=photos/street.jpg

  # a folder with its subfolders
  ppocr-pse infer --recursive -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.infer_img=photos \\
      Global.save_res_path=found/results.txt

The results file has a line for every picture that could be read:
PATH<TAB>[{"transcription": "", "points": [[x, y], ...], "score": s}, ...]
Drawn pictures go to det_results/ beside it. The exit code is 1 when a picture could not be read.
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
    from ppocr_pse.data.labels import LabelError, format_label_line
    from ppocr_pse.engine.predictor import as_bgr, find_pictures
    from ppocr_pse.schema import ConfigError
    from ppocr_pse.visualize import draw_detections, write_image

    settings = config.settings
    if not settings.infer_img:
        raise ConfigError(f"{config.path}: no pictures are named; add -o Global.infer_img=FILE_OR_FOLDER")
    place = Path(settings.infer_img)
    pictures = find_pictures(place, arguments.recursive)
    logger = start_run(config, None)
    predictor = build.build_predictor(config, load_trained(config, logger))
    results_file = Path(settings.save_res_path)
    drawn_dir = results_file.parent / "det_results"
    pictures = [path for path in pictures if drawn_dir not in path.parents]  # drawn by an earlier run
    results_file.parent.mkdir(parents=True, exist_ok=True)
    root = place if place.is_dir() else place.parent
    names = DrawnNames(root, drawn_dir)
    faults: list[str] = []
    texts = 0
    with results_file.open("w", encoding="utf-8", errors="surrogateescape") as results:
        stream = predictor.stream(pictures, workers=2)
        for result in tqdm(stream, total=len(pictures), desc="detect", unit="picture", disable=None):
            if result.image is None:
                faults.append(result.error)
                logger.error(result.error)
                continue
            found = result.detections
            try:
                line = format_label_line(str(result.path), [""] * len(found), found.polygons, found.scores.tolist())
                results.write(line + "\n")
                results.flush()
                image = as_bgr(result.image, predictor.preprocess.decode.img_mode)
                write_image(names.of(result.path), draw_detections(image, found, arguments.scores))
            except (LabelError, OSError) as error:
                faults.append(str(error))
                logger.error(str(error))
                continue
            texts += len(found)
    done = len(pictures) - len(faults)
    logger.info(f"{texts} texts in {done} pictures; results: {results_file}, drawn pictures: {drawn_dir}")
    if faults:
        logger.error(f"{len(faults)} of {len(pictures)} pictures could not be used, see above")
    return 1 if faults else 0


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

    def of(self, path: Path) -> Path:
        """Name the drawn picture of ``path``; formats that cannot be written become PNG."""
        inside = path.relative_to(self.root)
        name = inside if inside.suffix.lower() in DRAWABLE else inside.with_name(inside.name + ".png")
        candidate, number = self.target / name, 2
        while candidate in self.taken:
            candidate = self.target / name.with_name(f"{name.stem}-{number}{name.suffix}")
            number += 1
        self.taken.add(candidate)
        return candidate
