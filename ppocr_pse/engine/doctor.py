"""What a machine offers to a run, checked piece by piece; works without Paddle, and with a broken one.

Each check gives findings. A finding that is not in order names the cure.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import platform
import resource
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppocr_pse.data.reader.memory import DEV_SHM_NEEDED

GIB = 1024**3
PACKAGES = {
    "numpy": "numpy",
    "opencv-python": "cv2",
    "shapely": "shapely",
    "pyclipper": "pyclipper",
    "pyyaml": "yaml",
    "imgaug": "ppocr_pse.data.augment.imgaug_compat",
    "scikit-image": "skimage",
    "matplotlib": "matplotlib",
    "tqdm": "tqdm",
}
OPENCV_BUILDS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
ENGINES = {"onnxruntime": "onnx", "paddle2onnx": "onnx", "openvino": "openvino"}
NINE_PIXELS = ("111111111", "111111001", "100000001")
NINE_LABELS = "111111122"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        topic: what was looked at, one or two words.
        level: ``ok``, ``warning`` (it runs, but badly) or ``fault`` (it does not run).
        text: what is there.
        cure: what to do about it; "" when it is ok.
    """

    topic: str
    level: str
    text: str
    cure: str = ""


Check = Callable[[], Iterable[Finding]]


def examine(topic: str, check: Check) -> list[Finding]:
    """Run a check; one that breaks down is a finding too, so that the others are still made."""
    try:
        return list(check())
    except Exception as error:
        text = f"the check broke down: {type(error).__name__}: {_first_line(error)}"
        return [Finding(topic, "fault", text, "mend what the message names, then run the doctor again")]


def verdict_of(findings: Sequence[Finding]) -> str:
    """``ok``, ``warnings`` or ``faults``."""
    levels = {finding.level for finding in findings}
    return "faults" if "fault" in levels else "warnings" if "warning" in levels else "ok"


def check_python() -> list[Finding]:
    """Python, the operating system and this package."""
    own = version_of("ppocr-pse") or "(not installed)"
    text = f"ppocr_pse {own}, Python {platform.python_version()}, {platform.platform()}, {sys.executable}"
    return [Finding("python", "ok", text)]


def check_packages() -> list[Finding]:
    """The libraries that every command needs: installed, and can they be imported?"""
    findings, found = [], []
    for name, module in PACKAGES.items():
        try:
            importlib.import_module(module)
        except Exception as error:  # a library for another numpy raises anything
            findings.append(_not_importable(name, error))
        else:
            found.append(f"{name} {version_of(name) or '(unknown version)'}")
    findings.append(Finding("libraries", "ok", ", ".join(found)))
    findings += judge_numpy(np.__version__)
    findings += judge_opencv({name: version for name in OPENCV_BUILDS if (version := version_of(name))})
    return findings


def _not_importable(name: str, error: Exception) -> Finding:
    message = _first_line(error)
    libraries = {"libGL.so": "libgl1", "libgthread": "libglib2.0-0", "libglib": "libglib2.0-0", "libgomp": "libgomp1"}
    package = next((package for library, package in libraries.items() if library in message), "")
    cure = f"apt-get install -y {package}" if package else f"pip install --force-reinstall {name}"
    return Finding("libraries", "fault", f"{name} cannot be imported: {message}", cure)


def version_of(distribution: str) -> str:
    """Version of an installed distribution; "" when it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def judge_numpy(version: str) -> list[Finding]:
    """NumPy 2.4 and later break Paddle: the number in a tensor of shape [1] can no longer be taken by ``float()``."""
    if tuple(int(part) for part in version.split(".")[:2]) < (2, 4):
        return []
    text = f"numpy {version}: float() of a Paddle tensor of shape [1] raises, in the loss scaler among others"
    return [Finding("numpy", "fault", text, "pip install 'numpy<2.4'")]


def judge_opencv(builds: Mapping[str, str]) -> list[Finding]:
    """Two builds of OpenCV overwrite each other's files in ``cv2/``.

    Args:
        builds: version by distribution name, of those that are installed.
    """
    if len(builds) < 2:
        return []
    listed = ", ".join(f"{name} {version}" for name, version in builds.items())
    kept = builds.get("opencv-python", "4.11.0.86")
    cure = f"pip uninstall -y {' '.join(builds)} && pip install opencv-python=={kept}"
    return [Finding("opencv", "warning", f"{len(builds)} builds share one cv2 folder: {listed}", cure)]


def check_extension() -> list[Finding]:
    """The compiled post-processing on one row of nine pixels, where a wrong plane or order shows at once."""
    try:
        from ppocr_pse.postprocess import progressive_expand
        from ppocr_pse.postprocess.expand import native
    except ImportError as error:
        return [Finding("extension", "fault", _first_line(error), "pip install -e . (needs a C++17 compiler)")]
    kernels = np.array([[list(map(int, row))] for row in NINE_PIXELS], np.uint8)
    labels = "".join(map(str, progressive_expand(kernels, 0)[0]))
    paths = ", ".join(native.simd_paths())
    if labels != NINE_LABELS:
        text = f"progressive expansion gives {labels}, expected {NINE_LABELS} ({native.__file__})"
        return [Finding("extension", "fault", text, "build it anew: pip install --force-reinstall --no-deps -e .")]
    return [Finding("extension", "ok", f"progressive expansion is right; instruction sets: {paths} (the last is used)")]


def check_engines() -> list[Finding]:
    """Inference engines besides Paddle; all are optional."""
    parts = []
    for name, extra in ENGINES.items():
        version = version_of(name)
        parts.append(f"{name} {version}" if version else f"{name} not installed (pip install 'ppocr-pse[{extra}]')")
    return [Finding("engines", "ok", "; ".join(parts))]


def check_cores(processes: int = 1) -> list[Finding]:
    """Cores that this process may use against the threads that it will start.

    Args:
        processes: training processes on this machine.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_number("cpu.max", scale_by_second=True)
    usable = min(cores, quota) if quota else cores
    return judge_cores(cores, usable, int(os.environ.get("OMP_NUM_THREADS") or 0), processes)


def judge_cores(cores: int, usable: float, threads: int, processes: int) -> list[Finding]:
    """Compare threads with cores.

    Args:
        cores: that the process may run on.
        usable: of these, what the container's quota allows.
        threads: OMP_NUM_THREADS; 0 when it is not set.
        processes: training processes on this machine.
    """
    quota = "" if usable >= cores else f" (the container may use {usable:g} of them)"
    text = f"{cores} cores{quota}, OMP_NUM_THREADS={threads or 'not set'}, {processes} process(es) on this machine"
    share = max(1, int(usable) // processes)
    if threads * processes > max(1.0, usable):
        return [Finding("cores", "warning", f"{text}: more threads than cores", f"export OMP_NUM_THREADS={share}")]
    if 0 < threads * 2 <= share:
        return [Finding("cores", "warning", f"{text}: most cores stay idle", f"export OMP_NUM_THREADS={share}")]
    return [Finding("cores", "ok", text)]


def check_memory() -> list[Finding]:
    """Main memory, and the limit of the container."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if Path("/proc/meminfo").is_file() else []
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    if not sizes:
        return []
    limit = _cgroup_number("memory.max")
    free = min(sizes["MemAvailable"], limit or sizes["MemAvailable"])
    text = f"{free / GIB:.1f} GiB free of {sizes['MemTotal'] / GIB:.1f}"
    text += f", container limit {limit / GIB:.1f} GiB" if limit else ""
    if free < 4 * GIB:
        cure = "a smaller Train.loader.batch_size_per_card and num_workers, or a larger container"
        return [Finding("memory", "warning", text, cure)]
    return [Finding("memory", "ok", text)]


def _cgroup_number(name: str, scale_by_second: bool = False) -> float:
    """First number of a control-group file, over the second if asked; 0 when there is no limit."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        parts = Path("/sys/fs/cgroup", name).read_text(encoding="ascii").split()
        return float(parts[0]) / (float(parts[1]) if scale_by_second else 1.0)
    return 0.0


def check_shared_memory() -> list[Finding]:
    """``/dev/shm``, which a container makes small; cards of one machine talk to each other over it."""
    place = Path("/dev/shm")
    if not place.is_dir():
        return [Finding("shared memory", "warning", f"{place} does not exist", "mount a tmpfs there")]
    return judge_shared_memory(shutil.disk_usage(place).total)


def judge_shared_memory(size: int) -> list[Finding]:
    """Compare its size, in bytes, with what communication between cards takes; our own reader does not use it."""
    text = f"/dev/shm has {size / 2**20:.0f} MiB"
    if size >= DEV_SHM_NEEDED:
        return [Finding("shared memory", "ok", text)]
    cure = "docker run --shm-size=8g; in Kubernetes an emptyDir with medium: Memory at /dev/shm"
    return [Finding("shared memory", "warning", f"{text}; collectives between cards may fail", cure)]


def check_open_files() -> list[Finding]:
    """How many files a process may have open; reader processes and collectives take many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"up to {soft} (this shell may raise it to {hard})"
    if soft != resource.RLIM_INFINITY and soft < 1024:
        return [Finding("open files", "warning", text, f"ulimit -n {min(hard, 65536) if hard > 0 else 65536}")]
    return [Finding("open files", "ok", text)]


def check_disk(directory: Path, checkpoint: float = 0.4 * GIB) -> list[Finding]:
    """Room and permission where checkpoints go.

    Args:
        directory: Global.save_model_dir; need not exist yet.
        checkpoint: bytes of one; weights and Adam's moments of det_r50_vd_pse take about 0.4 GiB.
    """
    place = directory.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / GIB:.1f} GiB free for {directory}"
    if not os.access(place, os.W_OK | os.X_OK) or not place.is_dir():
        cure = f"mend the permissions of {place}, or set Global.save_model_dir"
        return [Finding("disk", "fault", f"{place} cannot be written", cure)]
    if free < 2 * checkpoint:
        cure = "free space, or set Global.save_model_dir"
        return [Finding("disk", "fault", f"{text}: less than two checkpoints", cure)]
    if free < 12 * checkpoint:
        return [Finding("disk", "warning", text, "free space, or set Global.keep_last to keep fewer checkpoints")]
    return [Finding("disk", "ok", text)]


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
