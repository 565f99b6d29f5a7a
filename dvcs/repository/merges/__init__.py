"""
Merges of revisions, and what else replays changes: three versions of everything become one.

    merging.py, plan.py, bases.py       a merge; how, and from which commit
    trees.py, sources.py, settings.py   a commit's three versions become one, source by source
    places.py, numbers.py, tracks.py    which items are the same; new ids; shapes between keyframes
    underway.py, conflicts.py           what waits for decisions, and how they are made
    picking.py, pick_choice.py          revert and cherry-pick
    grafting.py, rebasing.py            a change made on another version, or on a later tip

What becomes of one item is for `dvcs.merge`, which knows no repository.
"""
