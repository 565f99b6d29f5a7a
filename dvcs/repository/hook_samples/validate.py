"""
Hook `pre-commit` and `pre-merge` of dvcs: refuses a commit in which `dvcs validate` finds errors.

It looks at all items of the new commit, also at those that are as before. What is to hold for
everybody stands better under `[validate]` in `dvcs.toml`, which is asked of changed items only.
Add options to OPTIONS to your taste: `-t detection`, `--fail-on warning`.
"""

import os
import subprocess
import sys

OPTIONS = ["--fail-on", "error"]


def main() -> int:
    """Validate the new commit; its findings go to standard error."""
    command = [sys.executable, "-P", "-m", "dvcs", "validate", os.environ["DVCS_COMMIT"], *OPTIONS]
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode  # noqa: S603 - dvcs


if __name__ == "__main__":
    sys.exit(main())
