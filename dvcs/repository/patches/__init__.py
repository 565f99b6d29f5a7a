"""
Patches: a change as text, for a repository that shares no history with this one.

    making.py     written from two commits
    text.py       read, every line checked
    sides.py      both versions of what it changes, as if they had been here
    applying.py   applied, as a three-way merge
"""
