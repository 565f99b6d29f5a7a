"""
Hook `pre-commit` and `pre-merge` of dvcs: refuses a commit that removes many annotations.

Nobody notices a script that drops half of the boxes before the next training. Only what differs
between the branch and the new commit is read. Change MOST to your taste; `--no-verify` lets a
commit through that is meant so.
"""

import os
import sys

from dvcs.compare import summarise
from dvcs.repository import Repository

MOST = 100


def removed(before: str, commit: str) -> int:
    """Count the annotations that are in one commit and not in the other."""
    with Repository() as repo:
        summary = summarise(repo.diff(before, commit))
    return summary.annotations.removed


def main() -> int:
    """Compare the new commit with where the branch is."""
    before = os.environ["DVCS_BEFORE"]
    count = removed(before, os.environ["DVCS_COMMIT"]) if before else 0
    if count > MOST:
        sys.stderr.write(f"{count:,} annotations would be removed, more than {MOST:,}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
