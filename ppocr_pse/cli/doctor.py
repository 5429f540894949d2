"""`ppocr-pse doctor`: is this machine ready, and if not, what cures it?"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_pse.cli.common import import_paddle
from ppocr_pse.engine import doctor
from ppocr_pse.engine.doctor import Finding, examine, verdict_of

if TYPE_CHECKING:
    from ppocr_pse.config import Config

EXAMPLES = """\
  # this machine
  ppocr-pse doctor

  # for a run: its device, label files, weights, and the disk that its checkpoints go to
  ppocr-pse doctor -c configs/det/det_r50_vd_pse.yml

  # what the ranks of a job exchange, with values checked and timed; also on several nodes (--nnodes, --master)
  python3 -m paddle.distributed.launch --gpus 0,1,2,3 tools/doctor.py -c configs/det/det_r50_vd_pse.yml
  OMP_NUM_THREADS=1 python3 -m paddle.distributed.launch --nproc_per_node 2 tools/doctor.py

  # for programs
  ppocr-pse doctor --json
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments, examine, report.

    Returns:
        0 when nothing hinders a run (warnings included), 1 when there is a fault.
    """
    parser = argparse.ArgumentParser(
        prog="ppocr-pse doctor",
        description="Check this machine: libraries, device, memory, disk, collectives. A fault ends with code 1.",
        epilog="examples:\n" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", metavar="FILE", help="check what this configuration needs, too")
    parser.add_argument("-o", "--opt", nargs="+", action="extend", default=[], metavar="A.b.c=VALUE",
                        help="set a key of the configuration")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS",
                        help="how long to wait for another rank (default: 60)")  # fmt: skip
    arguments = parser.parse_args(argv)
    if arguments.opt and not arguments.config:
        parser.error("-o changes a configuration: name it with -c FILE")
    rank, size = int(os.environ.get("PADDLE_TRAINER_ID", "0")), int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))
    findings = examine_machine(arguments.config, arguments.opt, rank, size, arguments.timeout)
    verdict = verdict_of(findings)
    if rank == 0 or verdict == "faults":
        print(as_json(findings) if arguments.json else as_text(findings), flush=True)
    return 1 if verdict == "faults" else 0


def examine_machine(path: str | None, options: Sequence[str], rank: int, size: int, timeout: float) -> list[Finding]:
    """Make all checks; those that need Paddle only when it can be imported.

    Args:
        path: configuration, or None.
        options: changes to it, as ``-o`` takes them.
        rank: of this process.
        size: number of processes.
        timeout: seconds that an exchange with other ranks may take.

    Returns:
        Findings; a fault of another rank is among them.
    """
    local = int(os.environ.get("PADDLE_LOCAL_SIZE") or size)
    findings = [
        *examine("python", doctor.check_python),
        *examine("libraries", doctor.check_packages),
        *examine("extension", doctor.check_extension),
        *examine("engines", doctor.check_engines),
        *examine("cores", lambda: doctor.check_cores(local)),
        *examine("memory", doctor.check_memory),
        *examine("open files", doctor.check_open_files),
    ]
    from ppocr_pse.engine import doctor_device as device
    from ppocr_pse.engine.doctor_ranks import check_ranks

    broken = examine("paddle", device.check_import)
    if broken:
        findings += [*broken, *examine("shared memory", doctor.check_shared_memory)]
        findings += examine("disk", lambda: doctor.check_disk(Path("./output")))
        return findings
    import_paddle()
    config, faults = _read_config(path, options)
    findings += faults
    findings += examine("shared memory", doctor.check_shared_memory)
    save_dir = Path(config.settings.save_model_dir if config else "./output")
    findings += examine("disk", lambda: doctor.check_disk(save_dir))
    if config is not None:
        findings += examine("configuration", lambda: _check_files(config))
    settings = config.settings if config else None
    use_gpu = settings.use_gpu if settings else True
    forced = [kind for kind in ("xpu", "npu", "mlu", "gcu") if settings and getattr(settings, f"use_{kind}")]
    findings += examine("paddle", device.check_build)
    findings += examine("device", lambda: device.check_device(use_gpu, forced))
    findings += examine("mixed precision", device.check_mixed_precision)
    if size > 1:
        name = device.present_device()
        own = [f"{finding.topic}: {finding.text}" for finding in findings if finding.level == "fault"]
        findings += examine("collective", lambda: check_ranks(name, own, rank, size, timeout))
    return findings


def _read_config(path: str | None, options: Sequence[str]) -> tuple[Config | None, list[Finding]]:
    if path is None:
        return None, []
    from ppocr_pse.config import load_config
    from ppocr_pse.schema import ConfigError

    try:
        return load_config(path, list(options)), []
    except (ConfigError, FileNotFoundError) as error:
        return None, [Finding("configuration", "fault", str(error), "mend the configuration")]


def _check_files(config: Config) -> list[Finding]:
    """The files that a run of this configuration reads."""
    settings = config.settings
    missing = []
    for part in ("Train", "Eval"):
        dataset: Any = (config.tree.get(part) or {}).get("dataset") or {}
        labels = dataset.get("label_file_list") or []
        for label in [labels] if isinstance(labels, str) else labels:
            if not Path(label).is_file():
                missing.append(f"{part}.dataset.label_file_list: {label}")
        if dataset.get("data_dir") and not Path(dataset["data_dir"]).is_dir():
            missing.append(f"{part}.dataset.data_dir: {dataset['data_dir']}")
    for key in ("pretrained_model", "checkpoints"):
        weights = getattr(settings, key)
        if weights and not Path(weights.removesuffix(".pdparams") + ".pdparams").is_file():
            missing.append(f"Global.{key}: {weights}.pdparams")
    if missing:
        text = f"{config.path}: not there: {'; '.join(missing)}"
        cure = "set the paths with -o, or start from the folder that they are relative to"
        return [Finding("configuration", "fault", text, cure)]
    return [Finding("configuration", "ok", f"{config.path}: every key is known, label files and weights are there")]


def as_text(findings: Sequence[Finding]) -> str:
    """Lines for a person: one a finding, the cure below it, the verdict last."""
    lines = []
    for finding in findings:
        lines.append(f"{f'[{finding.level}]':10}{finding.topic:16} {finding.text}")
        if finding.level != "ok" and finding.cure:
            lines.append(f"{'':10}{'':16} cure: {finding.cure}")
    counts = {level: sum(finding.level == level for finding in findings) for level in ("warning", "fault")}
    lines.append("")
    if counts["fault"]:
        lines.append(f"verdict: {counts['fault']} fault(s) to mend before a run, {counts['warning']} warning(s)")
    elif counts["warning"]:
        lines.append(f"verdict: ready; {counts['warning']} warning(s) that are worth a look")
    else:
        lines.append("verdict: ready")
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """The same for a program."""
    listed = [asdict(finding) for finding in findings]
    return json.dumps({"verdict": verdict_of(findings), "findings": listed}, indent=1, ensure_ascii=False)
