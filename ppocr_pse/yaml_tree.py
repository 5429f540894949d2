"""YAML files as trees that know where each key was written: safe loading, ``_BASE_``, overrides. Knows no keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ppocr_pse.schema import ConfigError, Section


class _Loader(yaml.SafeLoader):
    """Safe YAML whose mappings know their lines, with 1e-4 as a number and twice the same key as an error."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Section:
    loader.flatten_mapping(node)
    section = Section()
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        place = f"{loader.name}:{key_node.start_mark.line + 1}"
        if key in section:
            raise ConfigError(f"{place}: the key {key!r} stands here for the second time; remove one of them")
        section[key] = loader.construct_object(value_node, deep=True)
        section.places[key] = place
    return section


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def _parse(text: str, name: str) -> Any:
    loader = _Loader(text)
    loader.name = name
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{place}: not valid YAML: {problem}") from None
    finally:
        loader.dispose()


def read_tree(path: Path, seen: tuple[Path, ...] = ()) -> Section:
    """Read a YAML file, laid over the files that its ``_BASE_`` names (relative to it; one or a list).

    Args:
        path: ends in .yml or .yaml.
        seen: files that led here, to find circles.

    Raises:
        ConfigError: if a file cannot be read, is not YAML, holds a key twice, or bases itself on itself.
    """
    if path.suffix not in (".yml", ".yaml"):
        raise ConfigError(f"{path}: a configuration ends in .yml or .yaml")
    if path.resolve() in seen:
        raise ConfigError(f"{path}: _BASE_ leads back to a file that is already being read")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the configuration ({error})") from None
    tree = _parse(text, str(path))
    if not isinstance(tree, Section):
        raise ConfigError(f"{path}: got {type(tree).__name__}, expected sections such as Global and Architecture")
    bases = tree.pop("_BASE_", [])
    merged = Section()
    for base in [bases] if isinstance(bases, str) else bases:
        _merge(merged, read_tree(path.parent / base, (*seen, path.resolve())))
    _merge(merged, tree)
    return merged


def _merge(into: Section, other: Section) -> None:
    """Lay a mapping over another one; mappings are merged, lists and values replaced."""
    for key, value in other.items():
        if isinstance(value, Section) and isinstance(into.get(key), Section):
            old = into[key]
            if "name" in value and value["name"] != old.get("name"):
                # another component: the old one's own arguments do not fit it, its subsections may
                for argument in [k for k, v in old.items() if not isinstance(v, Section)]:
                    del old[argument]
            _merge(old, value)
        else:
            into[key] = value
        into.places[str(key)] = other.places.get(str(key), "")


def override(tree: Section, assignment: str) -> None:
    """Set one value of a tree in place.

    Args:
        tree: as read_tree gives it.
        assignment: ``A.b.c=VALUE``, split at the first ``=``; VALUE is YAML, list items are reached by index.

    Raises:
        ConfigError: if it has another form or leads into a value that has no keys.
    """
    path, found, text = assignment.partition("=")
    keys = path.strip().split(".")
    if not found or not all(keys):
        raise ConfigError(f"-o {assignment}: expected SECTION.key=VALUE, for example Global.epoch_num=10")
    value = _parse(text, f"-o {path}")
    at: Any = tree
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(at, list):
            if not key.isdigit() or int(key) >= len(at):
                raise ConfigError(
                    f"-o {assignment}: {'.'.join(keys[:depth])} is a list of {len(at)}, "
                    f"expected an index from 0 to {len(at) - 1}, got {key!r}"
                )
            if last:
                at[int(key)] = value
            else:
                at = at[int(key)]
        elif isinstance(at, Section):
            if last:
                at[key] = value
                at.places[key] = "-o"
            else:
                if at.get(key) is None:
                    at[key] = Section()
                    at.places[key] = "-o"
                at = at[key]
        else:
            raise ConfigError(f"-o {assignment}: {'.'.join(keys[:depth])} is {at!r}, which has no keys")
