"""Builds the C++ post-processing extension; everything else is declared in pyproject.toml."""

from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup

CSRC = Path("ppocr_pse/postprocess/csrc")
# GCC or Clang. No -march: wider vectors are chosen at run time. No contraction: a fused multiply-add rounds
# differently, and the results are to be the same on every processor.
COMPILE = ["-O3", "-ffp-contract=off", "-pthread", "-Wall", "-Wextra"]

with ParallelCompile(default=2):
    setup(
        ext_modules=[
            Pybind11Extension(
                "ppocr_pse.postprocess._C",
                sorted(str(path) for path in CSRC.glob("*.cpp")),
                depends=sorted(str(path) for path in CSRC.glob("*.hpp")),
                cxx_std=17,
                extra_compile_args=COMPILE,
                extra_link_args=["-pthread"],
            ),
        ],
        cmdclass={"build_ext": build_ext},
    )
