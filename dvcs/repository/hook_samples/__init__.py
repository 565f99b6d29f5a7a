"""
Hooks to install by name: `dvcs hooks install subject`. Each is a script that stands alone.

They are copied, so that whoever installs one may change it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dvcs.errors import UnknownName

__all__ = ["SAMPLES", "Sample", "path_of"]


class Sample(NamedTuple):
    """A hook that is shipped: which hooks it can be, and what it does."""

    hooks: tuple[str, ...]
    summary: str


SAMPLES: Mapping[str, Sample] = {
    "removals": Sample(
        ("pre-commit", "pre-merge"), "refuses a commit that removes more than 100 annotations"
    ),
    "subject": Sample(
        ("commit-msg",), "wants a first line of at most 72 characters, then an empty one"
    ),
    "validate": Sample(
        ("pre-commit", "pre-merge"), "refuses a commit in which 'dvcs validate' finds errors"
    ),
}


def path_of(name: str) -> Path:
    """Return the file of a sample. Raises UnknownName."""
    if name not in SAMPLES:
        raise UnknownName("sample of a hook", name, SAMPLES)
    return Path(__file__).with_name(f"{name}.py")
