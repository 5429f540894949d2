"""The one fault of this part."""

from __future__ import annotations


class ConvertError(RuntimeError):
    """A weights file that cannot be read or does not fit; the message says what came, what was expected, the cure."""
