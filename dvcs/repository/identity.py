"""
Who commits, and when.

From `DVCS_AUTHOR_NAME` and `DVCS_AUTHOR_EMAIL`; else `user.name` and `user.email` of the
repository, of dvcs's own user file, of Git's; at last the login at this host. The time is now,
unless `DVCS_AUTHOR_DATE` (seconds since 1970 and a zone: `1700000000 +0100`) says otherwise.
Nothing else is ever read from Git's configuration.
"""

import getpass
import os
import platform
import re
import time
from contextlib import suppress

from dvcs.errors import UsageError
from dvcs.objects.gitobjects import Signature
from dvcs.repository import config
from dvcs.repository.layout import Layout

DATE = re.compile(r"([0-9]{1,12})(?: ([+-])([01][0-9]|2[0-3])([0-5][0-9]))?\Z")
CONTROL = re.compile(r"[\x00-\x1f<>\x7f]")


def author(layout: Layout) -> Signature:
    """Return the signature of a commit made now. Raises UsageError for a date that is none."""
    seconds, zone = _now()
    return Signature(_setting(layout, "name") or _login(), _email(layout), seconds, zone)


def is_guessed(layout: Layout) -> bool:
    """Tell whether nobody said who commits, so that the name is the login's."""
    return _setting(layout, "name") is None


def _setting(layout: Layout, what: str) -> str | None:
    value = os.environ.get(f"DVCS_AUTHOR_{what.upper()}") or config.get(layout, f"user.{what}")
    return CONTROL.sub("", value).strip() or None if value else None


def _email(layout: Layout) -> str:
    return _setting(layout, "email") or f"{_login()}@{platform.node() or 'localhost'}"


def _login() -> str:
    with suppress(OSError, KeyError):
        return CONTROL.sub("", getpass.getuser()) or "unknown"
    return "unknown"


def _now() -> tuple[int, int]:
    text = os.environ.get("DVCS_AUTHOR_DATE")
    if text is None:
        now = int(time.time())
        return now, (time.localtime(now).tm_gmtoff or 0) // 60
    match = DATE.match(text)
    if match is None:
        raise UsageError(
            f"DVCS_AUTHOR_DATE is '{text}', which is no date",
            hint="give seconds since 1970 and a zone, like '1700000000 +0100'",
        )
    sign = -1 if match[2] == "-" else 1
    return int(match[1]), sign * (int(match[3] or 0) * 60 + int(match[4] or 0))
