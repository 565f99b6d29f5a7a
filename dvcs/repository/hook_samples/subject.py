"""
Hook `commit-msg` of dvcs: wants a first line of at most 72 characters, then an empty one.

It gets the path of a file with the message, tidies its end, and refuses it with exit code 1.
"""

import sys
from pathlib import Path

LONGEST = 72


def complaint(message: str) -> str | None:
    """Return what is wrong with a message, None where nothing is."""
    first, *others = message.split("\n")
    if len(first) > LONGEST:
        return f"the first line has {len(first)} characters, more than {LONGEST}"
    if others and others[0].strip():
        return "leave the second line empty: what follows the subject is a text of its own"
    return None


def main() -> int:
    """Check the message in the file of the first argument, and tidy its end."""
    path = Path(sys.argv[1])
    message = path.read_text("utf-8").strip()
    found = complaint(message)
    if found is not None:
        sys.stderr.write(f"{found}\n")
        return 1
    path.write_text(f"{message}\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
