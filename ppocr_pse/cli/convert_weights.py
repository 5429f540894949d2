"""`ppocr-pse convert-weights`: weights of other programs as weights of ours."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_pse.cli.common import run_in_words
from ppocr_pse.convert import (
    FORMATS,
    ConvertError,
    check,
    describe,
    differences,
    fit,
    read_weights,
    translate,
)

if TYPE_CHECKING:
    from ppocr_pse.convert import Translation

EXAMPLES = """\
examples:
  # the authors' PSENet; what network it is of is read off the file
  ppocr-pse convert-weights --from psenet psenet_r50_ic15_736.pth.tar pretrain_models/psenet_r50

  # a backbone from timm (ResNet50_vd is resnet50d there); neck and head will start at random
  ppocr-pse convert-weights --from timm resnet50d.safetensors pretrain_models/resnet50d \\
      -c configs/det/det_r50_vd_pse.yml

  # MindOCR's PSENet for a configuration of its own
  ppocr-pse convert-weights --from mindocr psenet_resnet152_ic15.ckpt pretrain_models/mindocr_r152 \\
      -c configs/det/det_r152_pse.yml

  # whatever it is; only say what would match
  ppocr-pse convert-weights --dry-run SOME_FILE pretrain_models/some

The result is for Global.pretrained_model of train, and, where neck and head are in it, of eval, infer and export-model.
Exit code 2, and nothing is written, when a layer of the network would be left without weights or has another shape.
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and convert."""
    parser = argparse.ArgumentParser(
        prog="ppocr-pse convert-weights",
        description="Weights of other programs as weights of ours. No code in the file is run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", type=Path, metavar="SRC", help="file of torch.save, safetensors, paddle.save, MindSpore"
    )
    parser.add_argument("target", type=Path, metavar="DST", help="file to write (.pdparams is added if it lacks it)")
    parser.add_argument(
        "--from",
        dest="format",
        default="auto",
        choices=("auto", *FORMATS),
        help="whose weights: by the tensors' names (auto), or as said",
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="whose Architecture they are for (default: read off SRC)"
    )
    parser.add_argument(
        "-o", "--opt", nargs="+", action="extend", default=[], metavar="A.b.c=VALUE", help="as in train"
    )
    parser.add_argument(
        "--backbone-only",
        action="store_true",
        help="a detector's format, but only the backbone is wanted: neck and head may be missing, and are left out",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what matches, write nothing")
    arguments = parser.parse_args(argv)
    if arguments.opt and not arguments.config:
        parser.error("-o changes a configuration: name it with -c")
    return run_in_words(lambda: convert(arguments))


def convert(arguments: argparse.Namespace) -> int:
    """Convert as the arguments say; 2 when the file is refused."""
    target: Path = arguments.target
    if target.suffix != ".pdparams":
        target = target.with_name(target.name + ".pdparams")
    try:
        if target.resolve() == arguments.source.resolve():
            raise ConvertError(f"{target}: SRC and DST are one file; name another DST")
        given, kind = read_weights(arguments.source)
        translation = translate(given, arguments.format)
        print(f"{arguments.source}: {len(given)} tensors, {kind} file, names of {translation.format}")
        only_backbone = arguments.backbone_only or not FORMATS[translation.format].detector
        if only_backbone:
            for name in [name for name in translation.tensors if not name.startswith("backbone.")]:
                translation.left_out[translation.origins[name]] = "not of the backbone"
                del translation.tensors[name]
        architecture = _architecture(arguments, translation)
        network = _shapes(architecture)
        found = fit(network, translation)
        _explain(translation, found.unplaced)
        check(found, str(arguments.source), only_backbone)
        other = differences(translation, architecture)
        if other:
            raise ConvertError(
                f"{arguments.config}: every tensor has a place, but the network there computes something else than the "
                f"one these weights come from; add -o {' '.join(other)} here and wherever they are used"
            )
    except ConvertError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"matched: {found.verdict()}")
    if not arguments.config:
        _print_architecture(architecture)
    for note in FORMATS[translation.format].notes:
        print(f"note: {note}")
    if arguments.dry_run:
        print(f"would write {target}")
        return 0
    _write(target, {name: translation.tensors[name] for name in found.matched})
    print(f"wrote {target}: {len(found.matched)} tensors")
    return 0


def _architecture(arguments: argparse.Namespace, translation: Translation) -> Mapping[str, Any]:
    if not arguments.config:
        return describe(translation)
    from ppocr_pse.config import load_config

    return load_config(arguments.config, arguments.opt).section("Architecture")


def _shapes(architecture: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    from ppocr_pse.build import build_model

    return {name: tuple(tensor.shape) for name, tensor in build_model(architecture).state_dict().items()}


def _explain(translation: Translation, unplaced: Sequence[str], limit: int = 8) -> None:
    """Print what was left out, by reason, and what was made."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in translation.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    if unplaced:
        by_reason["not of this network"] = list(unplaced)
    made: dict[str, list[str]] = {}
    for name, how in translation.made.items():
        made.setdefault(how, []).append(name)
    for title, groups in (("not used", by_reason), ("changed", made)):
        for reason, names in groups.items():
            more = f", ... ({len(names)} in all)" if len(names) > limit else ""
            print(f"{title}: {', '.join(names[:limit])}{more}: {reason}")


def _print_architecture(architecture: Mapping[str, Any]) -> None:
    print("network, for the configuration:\n  Architecture:")
    for part in ("Backbone", "Neck", "Head"):
        print(f"    {part}: {{{', '.join(f'{key}: {_yaml(value)}' for key, value in architecture[part].items())}}}")


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write(target: Path, tensors: Mapping[str, Any]) -> None:
    """Write beside the target, then rename: an old file is whole until the new one is."""
    import paddle

    staging = target.with_name(f"{target.name}.writing-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        paddle.save({name: paddle.to_tensor(value) for name, value in tensors.items()}, str(staging))
        staging.replace(target)
    except OSError as error:
        staging.unlink(missing_ok=True)
        raise FileNotFoundError(f"{target}: cannot be written ({error.strerror or error})") from error
