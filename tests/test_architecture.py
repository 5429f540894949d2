"""The layer rule: imports point down only, and the folders of a layer do not import each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ppocr_pse"
# what each part may import, besides itself; a part not named here may not exist
ALLOWED = {
    "types": set(),
    "polygons": set(),
    "schema": set(),
    "yaml_tree": {"schema"},
    "data": {"types", "polygons"},
    "modeling": {"types"},
    "losses": {"types"},
    "postprocess": {"types", "polygons"},
    "metrics": {"types", "polygons"},
    "visualize": {"types"},
    "convert": set(),
    "engine": {"types", "polygons", "convert", "data", "postprocess", "metrics", "visualize"},
    "report": {"types", "metrics"},
    "deploy": {"types", "schema", "data", "postprocess", "metrics", "engine", "__init__"},
    "outputs": {"types", "polygons", "data", "engine", "visualize"},
    "components": {"data", "engine", "losses", "metrics", "modeling", "postprocess"},
    "settings": set(),
    "config": {"schema", "settings", "yaml_tree", "components", "engine"},
    "build_data": {"types", "schema", "settings", "config", "components", "data"},
    "build_training": {"schema", "config", "components", "data", "engine", "modeling"},
    "build": {
        "types", "schema", "config", "components", "build_data", "build_training", "data", "engine", "losses",
        "metrics", "modeling", "postprocess",
    },
    "build_deploy": {"schema", "config", "components", "build_data", "data", "deploy", "engine"},
    "cli": {
        "types", "schema", "config", "build", "build_deploy", "convert", "deploy", "data", "engine", "metrics",
        "outputs", "report", "visualize", "__init__",
    },
    "__init__": {"types", "deploy"},
}  # fmt: skip


def part_of(file: Path) -> str:
    inside = file.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def imported_parts(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "ppocr_pse":
                known = len(parts) > 1 and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file())
                yield parts[1] if known else "__init__"


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_down(file: Path) -> None:
    part = part_of(file)
    assert part in ALLOWED, f"{file}: a new part of the house; give it a layer here and in docs/development.md"
    wrong = set(imported_parts(file)) - ALLOWED[part] - {part}
    assert not wrong, f"{file}: {part} must not import {sorted(wrong)}"


def test_the_rule_sees_a_wrong_import(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("from ppocr_pse.engine import trainer\nimport ppocr_pse.build\nfrom ppocr_pse import data\n")
    assert set(imported_parts(bad)) == {"engine", "build", "data"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_house_rules(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300, f"{file}: over 300 lines; is it two rooms?"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            assert node.args.kwarg is None, f"{file}:{node.lineno}: ** swallows misspelt keys"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{file}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in (("os", "chdir"), ("sys", "path")), f"{file}:{node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{file}:{node.lineno}: a bare except hides faults"
