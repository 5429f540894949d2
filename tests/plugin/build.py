"""Compiles the test device `iluvatar_gpu` and says how a process gets it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "iluvatar_gpu.cpp"


def find_compiler() -> str | None:
    """A C++ compiler, or None."""
    return next(filter(None, map(shutil.which, ("g++", "c++", "clang++"))), None)


def compile_plugin(folder: Path, compiler: str) -> Path:
    """Compile the device into ``folder``; returns the library."""
    import paddle

    library = folder / "libiluvatar_gpu.so"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command = [compiler, *flags, f"-I{paddle.sysconfig.get_include()}", str(SOURCE), "-o", str(library)]
    subprocess.run(command, check=True, timeout=120)
    return library


def environment_of(library: Path) -> dict[str, str]:
    """Variables that make Paddle load the device; it has no strided kernels, so it must not hand out views."""
    return {
        "CUSTOM_DEVICE_ROOT": str(library.parent),
        "FLAGS_use_stride_kernel": "0",
        "OMP_NUM_THREADS": "1",
        "ILUVATAR_TEST_LIBRARY": str(library),
    }
