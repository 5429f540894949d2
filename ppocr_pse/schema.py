"""A callable's signature as the schema of a mapping: unknown, missing and mistyped keys are named with the cure."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, Union

Made = TypeVar("Made")
UNIONS = (Union, getattr(types, "UnionType", Union))


class ConfigError(ValueError):
    """A configuration that cannot be used; the message says where, what came, what was expected, the cure."""


class Section(dict[str, Any]):
    """A mapping that remembers where each of its keys was written.

    Attributes:
        places: ``FILE:LINE`` or ``-o`` by key.
    """

    def __init__(self, items: Mapping[str, Any] | None = None, places: Mapping[str, str] | None = None) -> None:
        super().__init__(items or {})
        self.places: dict[str, str] = dict(places or {})


def place_of(section: Any, key: str) -> str:
    """``FILE:LINE: `` of a key, or "" when it is not known."""
    place = getattr(section, "places", {}).get(key, "")
    return f"{place}: " if place else ""


def suggest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known name, and what is known."""
    names = [str(candidate) for candidate in known]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    lower = {candidate.lower(): candidate for candidate in names}
    best = near[0] if near else lower.get(str(name).lower())
    hint = f"did you mean {best!r}? " if best else ""
    return f"; {hint}Known: {', '.join(sorted(names))}"


def parameters_of(function: Callable[..., Any], handed_down: Collection[str] = ()) -> dict[str, inspect.Parameter]:
    """Parameters that a configuration may set: all but keyword-only ones and those handed down by the program."""
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY and name not in handed_down
    }


def check_keys(
    function: Callable[..., Any], section: Mapping[str, Any], where: str, handed_down: Collection[str] = ()
) -> None:
    """Compare a mapping with a signature.

    Args:
        function: the class or function that the mapping is for.
        section: keys and values, without ``name``.
        where: path of the mapping in the configuration, for messages.
        handed_down: parameters that the program sets and the mapping must not.

    Raises:
        ConfigError: for a key that is unknown or missing, or a value of another type.
    """
    known = parameters_of(function, handed_down)
    hints = _hints(function)
    for key, value in section.items():
        if key not in known:
            raise ConfigError(f"{place_of(section, key)}{where}.{key}: unknown key{suggest(key, known)}")
        if key in hints and not conforms(value, hints[key]):
            raise ConfigError(
                f"{place_of(section, key)}{where}.{key}: got {value!r} ({type(value).__name__}), "
                f"expected {describe(hints[key])}"
            )
    missing = [
        name
        for name, parameter in known.items()
        if parameter.default is inspect.Parameter.empty and name not in section
    ]
    if missing:
        given = ", ".join(map(str, section)) or "nothing"
        raise ConfigError(f"{where}: {', '.join(missing)} missing (given: {given}); add {where}.{missing[0]}")


def construct(
    function: Callable[..., Made],
    section: Mapping[str, Any],
    where: str,
    handed_down: Mapping[str, Any] | None = None,
) -> Made:
    """Check a mapping and call the function with it and with what the program hands down.

    Raises:
        ConfigError: for a key or a value that does not fit.
    """
    extra = dict(handed_down or {})
    check_keys(function, section, where, extra)
    try:
        return function(**section, **extra)
    except (ValueError, TypeError) as error:
        message = str(error)
        named = next((key for key in section if key in message), next(iter(section), ""))
        prefix = "" if message.startswith(f"{where}.") else f"{where}: "
        raise ConfigError(f"{place_of(section, str(named))}{prefix}{message}") from error


def choose(table: Mapping[str, Made], section: Any, where: str) -> tuple[Made, Section]:
    """Look up the ``name`` of a section in a table.

    Returns:
        The entry, and the section without ``name``.

    Raises:
        ConfigError: if there is no name or it is not known.
    """
    if not isinstance(section, Mapping):
        raise ConfigError(f"{where}: got {section!r}, expected a mapping with a name; known names: {', '.join(table)}")
    name = section.get("name")
    if not isinstance(name, str) or name not in table:
        what = "no name" if name is None else f"unknown name {name!r}"
        raise ConfigError(f"{place_of(section, 'name')}{where}.name: {what}{suggest(str(name), table)}")
    rest = {key: value for key, value in section.items() if key != "name"}
    return table[name], Section(rest, getattr(section, "places", {}))


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function.__init__ if inspect.isclass(function) else function
    try:
        return typing.get_type_hints(target)
    except (TypeError, NameError):  # `int | None` on Python 3.9
        return {}


def conforms(value: Any, hint: Any) -> bool:
    """Whether a YAML value fits a type hint; hints that are not understood let everything through."""
    origin = typing.get_origin(hint)
    if hint is Any or hint is inspect.Parameter.empty:
        return True
    if origin in UNIONS:
        return any(conforms(value, option) for option in typing.get_args(hint))
    if hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Sequence):
        inner = typing.get_args(hint)[:1] or (Any,)
        return isinstance(value, (list, tuple)) and all(conforms(item, inner[0]) for item in value)
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    return True


def describe(hint: Any) -> str:
    """A type hint in words."""
    words = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        type(None): "nothing",
    }
    if hint in words:
        return words[hint]
    origin = typing.get_origin(hint)
    if origin in UNIONS:
        return " or ".join(describe(option) for option in typing.get_args(hint))
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Sequence):
        return f"a list of {describe((typing.get_args(hint) or (Any,))[0])}"
    if hint is Any:
        return "anything"
    return str(hint)
