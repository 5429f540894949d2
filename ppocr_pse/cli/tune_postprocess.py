"""`ppocr-pse tune-postprocess`: find thresh, box_thresh and min_area on a validation split; the network runs once."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_pse.cli.common import load_trained, make_parser, read_config, report_problems, run_in_words, start_run

if TYPE_CHECKING:
    from ppocr_pse.config import Config
    from ppocr_pse.engine.logits import LogitsCache
    from ppocr_pse.engine.tuning import Choice, Trial
    from ppocr_pse.types import Annotation

EXAMPLES = """\
  ppocr-pse tune-postprocess -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy

  # a finer search, over both kinds of boxes; the logits of the run above are used again
  ppocr-pse tune-postprocess -c configs/det/det_mv3_pse.yml --thresh -0.5 -0.25 0 0.25 0.5 --min-area 8 12 16 24 \\
      --box-type quad poly --out tuning -o Global.pretrained_model=output/det_mv3_pse/best_accuracy

Values that were chosen on pictures look better on them than on any others. Tune on a validation split, never on the
test set: a test score with values chosen on the test set is worth nothing. Pictures that the network was trained on
are no better: it is too sure of them.
"""
SHOWN = 12
"""How many settings the table has."""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and tune."""
    parser = make_parser("tune-postprocess", "Find the post-processing's thresholds on the pictures of Eval.", EXAMPLES)
    parser.add_argument("--thresh", type=float, nargs="+", default=[-1, 0, 0.5, 1, 1.5, 2, 3], help="logits to try")
    parser.add_argument("--min-area", type=int, nargs="+", default=[4, 16, 32, 64, 128], help="areas to try")
    parser.add_argument("--box-type", nargs="+", choices=("quad", "poly"), help="to try (default: the configuration's)")
    parser.add_argument("--scale", type=int, nargs="+", choices=(1, 2, 4), help="to try (default: the configuration's)")
    parser.add_argument("--step", type=float, default=0.01, help="between values of box_thresh (0.01)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="for logits (logits/ in Global.save_model_dir)")
    parser.add_argument("--cache-limit", type=float, default=8.0, metavar="GB", help="disk that logits may take (8)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write tuning.csv and tuning.json there")
    arguments = parser.parse_args(argv)
    if not 0.0 < arguments.step <= 0.5:
        parser.error(f"argument --step: {arguments.step} is not above 0 and up to 0.5")
    return run_in_words(lambda: tune(read_config(arguments), arguments))


def tune(config: Config, arguments: argparse.Namespace) -> int:
    """Tune as the arguments say; 1 when a picture or a label could not be used."""
    from tqdm import tqdm

    from ppocr_pse import build
    from ppocr_pse.engine.logits import CacheFull
    from ppocr_pse.engine.tuning import Setting, box_threshold_grid, choose, try_settings
    from ppocr_pse.metrics import Counts
    from ppocr_pse.schema import ConfigError

    logger = start_run(config, None)
    pool = build.build_annotations(config, "Eval")
    report_problems(pool.problems, "Eval.dataset", logger)
    warn_of_cheating(config, pool.annotations, logger)
    metric = build.build_metric(config.section("Metric"))
    now = build.build_decoder(config.section("PostProcess"))
    current = Setting(now.thresh, now.min_area, now.box_type, now.scale)
    settings = [
        Setting(thresh, min_area, box_type, scale)
        for box_type in arguments.box_type or [now.box_type]
        for scale in arguments.scale or [now.scale]
        for thresh in sorted({*arguments.thresh, now.thresh})
        for min_area in sorted({*arguments.min_area, now.min_area})
    ]
    settings = list(dict.fromkeys([*settings, current]))
    try:
        for setting in settings:  # a value that the decoder refuses is told before the network runs
            build.build_decoder({"name": config.section("PostProcess")["name"], **asdict(setting)})
        cache, faults = fill_cache(config, arguments, pool.annotations, logger)
    except (CacheFull, OSError) as error:
        raise ConfigError(str(error)) from None
    grid = [*box_threshold_grid(arguments.step).tolist(), now.box_thresh]
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def watch(items):  # type: ignore[no-untyped-def]
        return tqdm(items, desc="try", unit="setting", disable=None)

    trials = try_settings(
        pool.annotations, lambda annotation: cache.get(annotation.image), settings, grid, metric.rules, workers, watch
    )
    here = min(
        (trial for trial in trials if trial.setting == current),
        key=lambda trial: abs(trial.box_thresh - now.box_thresh),
    )

    def distance(trial: Trial) -> tuple[Any, ...]:
        """Of equally good values those nearest to the present ones."""
        changed = asdict(trial.setting).items() - asdict(current).items()
        return len(changed), abs(trial.box_thresh - now.box_thresh), sorted(changed, key=str)

    choice = choose(trials, metric.main_indicator, distance)
    print(describe(trials, choice, here, metric.main_indicator, config, len(pool.annotations)))
    if arguments.out:
        write_trials(arguments.out, trials, choice, here)
        logger.info(f"all {len(trials)} trials: {arguments.out / 'tuning.csv'}, {arguments.out / 'tuning.json'}")
    if choice.best.counts == Counts():
        logger.warning("there is nothing to tune on: no text counts and nothing was detected")
    return 1 if faults or pool.problems else 0


def label_files(config: Config, name: str) -> list[str]:
    """The label files of ``Train`` or ``Eval``; none when the section is missing."""
    files = config.tree.get(name, {}).get("dataset", {}).get("label_file_list", [])
    return [files] if isinstance(files, str) else [str(file) for file in files]


def warn_of_cheating(config: Config, annotations: Sequence[Annotation], logger: logging.Logger) -> None:
    """Warn when the pictures look like a test set, or when the network may have been trained on them."""
    from ppocr_pse.build import build_annotations
    from ppocr_pse.schema import ConfigError

    tests = [file for file in label_files(config, "Eval") if "test" in Path(file).name.lower()]
    if tests:
        logger.warning(
            f"{', '.join(tests)}: looks like a test set; a score on pictures that were tuned on is worth nothing"
        )
    try:
        trained_on = {annotation.image.resolve() for annotation in build_annotations(config, "Train").annotations}
    except ConfigError:  # the training pictures are not here: there is nothing to compare with
        return
    shared = sum(annotation.image.resolve() in trained_on for annotation in annotations)
    if shared:
        logger.warning(f"{shared} of {len(annotations)} pictures of Eval are training pictures: the network knows them")


def fill_cache(
    config: Config, arguments: argparse.Namespace, annotations: Sequence[Annotation], logger: logging.Logger
) -> tuple[LogitsCache, int]:
    """Run the network over the pictures whose logits are not known yet; gives the cache and the number of faults."""
    from tqdm import tqdm

    from ppocr_pse import build, build_deploy
    from ppocr_pse.engine.logits import LogitsCache

    model = load_trained(config, logger)
    dataset = config.tree["Eval"]["dataset"]
    settled = [config.tree["Architecture"], dataset["transforms"], config.settings.engine]
    key = hashlib.sha256(json.dumps(settled, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        key.update(name.encode())
        key.update(tensor.numpy().tobytes())
    root = arguments.cache or Path(config.settings.save_model_dir) / "logits"
    cache = LogitsCache(root, key.digest(), int(arguments.cache_limit * 1e9))
    wanted = list(dict.fromkeys(annotation.image for annotation in annotations))
    missing = [picture for picture in wanted if cache.get(picture) is None]
    logger.info(f"logits of {len(wanted) - len(missing)} of {len(wanted)} pictures are known in {cache.folder}")
    if not missing:
        return cache, 0
    weights = config.settings.checkpoints or config.settings.pretrained_model or ""
    predictor = build.build_predictor(config, model, build_deploy.build_network(config, model, weights, lanes=0))
    predictor.keep_logits = True
    faults = 0
    stream = predictor.stream(missing, min(build.eval_workers(config), 2))
    for result in tqdm(stream, total=len(missing), desc="run the network", unit="picture", disable=None):
        if result.logits is None or result.scale is None:
            faults += 1
            logger.warning(f"{result.error} (its texts count as missed)")
        else:
            cache.put(result.path, result.logits, result.scale)
    return cache, faults


def describe(
    trials: Sequence[Trial], choice: Choice, here: Trial, indicator: str, config: Config, pictures: int
) -> str:
    """The table, what it is worth, and the lines to paste."""
    figures = ("precision", "recall", "hmean")
    best: dict[Any, Trial] = {}
    for trial in sorted(trials, key=lambda trial: -trial.counts.summary()[indicator]):
        best.setdefault(trial.setting, trial)
    rows = list(best.values())[:SHOWN]
    rows = [choice.best, *(row for row in rows if row.setting != choice.best.setting)]
    lines = [f"{'':8}{'thresh':>8}{'box_thresh':>12}{'min_area':>10}{'box_type':>10}{'scale':>7}  "]
    lines[0] += "".join(f"{name:>11}" for name in figures)
    for name, trial in [("now", here), *((("best", row) if row is choice.best else ("", row)) for row in rows)]:
        s, summary = trial.setting, trial.counts.summary()
        line = f"{name:8}{s.thresh:>8g}{trial.box_thresh:>12g}{s.min_area:>10d}{s.box_type:>10}{s.scale:>7d}  "
        lines.append(line + "".join(f"{summary[figure]:>11.4f}" for figure in figures))
    held_out = choice.held_out.summary()[indicator]
    setting = choice.best.setting
    return "\n".join(
        [
            *lines,
            "",
            f"Each row has the box_thresh that is best for it. Chosen from {len(trials)} trials on {pictures} pictures "
            f"of {', '.join(label_files(config, 'Eval'))}.",
            f"The {indicator} of the best row, {choice.best.counts.summary()[indicator]:.4f}, flatters, for it was "
            f"chosen on these pictures: chosen on one half of them and scored on the other it is {held_out:.4f} "
            f"(now: {here.counts.summary()[indicator]:.4f}).",
            "Never tune on test pictures, nor on pictures that the network was trained on.",
            *edges(trials, choice.best),
            "",
            "PostProcess:",
            f"  name: {config.section('PostProcess')['name']}",
            f"  thresh: {setting.thresh:g}",
            f"  box_thresh: {choice.best.box_thresh:g}",
            f"  min_area: {setting.min_area}",
            f"  box_type: {setting.box_type}",
            f"  scale: {setting.scale}",
        ]
    )


def edges(trials: Sequence[Trial], best: Trial) -> list[str]:
    """A line for each value of the best trial beyond which nothing was tried."""
    lines = []
    for key, option in (("thresh", "--thresh"), ("min_area", "--min-area")):
        values = {getattr(trial.setting, key) for trial in trials}
        value = getattr(best.setting, key)
        if len(values) > 1 and value in (min(values), max(values)):
            lines.append(f"The best {key}, {value:g}, is the last that was tried: try values beyond it with {option}.")
    return lines


def write_trials(folder: Path, trials: Sequence[Trial], choice: Choice, here: Trial) -> None:
    """Write every trial as CSV and JSON."""

    def record(trial: Trial) -> dict[str, Any]:
        head = {**asdict(trial.setting), "box_thresh": trial.box_thresh}
        return {**head, **trial.counts.summary(), **asdict(trial.counts)}

    folder.mkdir(parents=True, exist_ok=True)
    records = [record(trial) for trial in trials]
    with (folder / "tuning.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    content = {
        "best": record(choice.best),
        "now": record(here),
        "held_out": {**choice.held_out.summary(), **asdict(choice.held_out)},
        "trials": records,
    }
    (folder / "tuning.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
