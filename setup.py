"""Builds the C++ post-processing extension and puts the detector in the box into the package.

Everything else is declared in pyproject.toml.
"""

from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup
from setuptools.command.build_py import build_py

CSRC = Path("ppocr_pse/postprocess/csrc")
# GCC or Clang. No -march: wider vectors are chosen at run time. No contraction: a fused multiply-add rounds
# differently, and the results are to be the same on every processor.
COMPILE = ["-O3", "-ffp-contract=off", "-pthread", "-Wall", "-Wextra"]
BOX = Path("pretrain_models/det_mv3_pse_icdar2015")


class BuildWithBox(build_py):
    """Copies the detector in the box into the package that is built; an editable install finds it in the clone."""

    def box_files(self) -> dict[str, str]:
        """Target by source."""
        target = Path(self.build_lib, "ppocr_pse", BOX)
        files = sorted(path for path in BOX.iterdir() if path.is_file() and not path.name.startswith("."))
        return {str(path): str(target / path.name) for path in files}

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if not self.editable_mode:
            for source, target in self.box_files().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        """What an sdist has to hold."""
        return [*super().get_source_files(), *self.box_files()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What was written."""
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else self.box_files().values())]


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
        cmdclass={"build_ext": build_ext, "build_py": BuildWithBox},
    )
