"""Safety tests fork, kill and mount: only where that is possible."""

import sys

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []
