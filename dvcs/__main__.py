"""The program `dvcs`, and `python -m dvcs`: how a process of ours starts and ends."""

import gc
from typing import NoReturn

NEW_OBJECTS = 100_000
"""
How many objects the cyclic garbage collector waits for, instead of 700.

A command makes many values, hardly a cycle, and is soon over. To look through all of them again and
again took 0.08 of the 0.5 s in which 5,000 items are imported, and 0.01 of any command's 0.1 s.
"""


def main() -> NoReturn:
    """Run dvcs with the arguments of this process, and leave with its exit code."""
    gc.set_threshold(NEW_OBJECTS, 20, 50)
    from dvcs.commands import main as run

    try:
        run()
    finally:
        gc.freeze()  # else the interpreter looks through everything once more before it ends


if __name__ == "__main__":
    main()
