"""Builds the C++ post-processing extension; everything else is declared in pyproject.toml."""

from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup

SOURCES = sorted(str(path) for path in Path("ppocr_pse/postprocess/csrc").glob("*.cpp"))

with ParallelCompile(default=2):
    setup(
        ext_modules=[
            Pybind11Extension("ppocr_pse.postprocess._C", SOURCES, cxx_std=17, extra_compile_args=["-O3"]),
        ],
        cmdclass={"build_ext": build_ext},
    )
