"""
`restore --from`: a part of another revision, taken into the current branch.

    restoring.py   the commit
    choice.py      what is wanted: items, single annotations, or what an expression finds
    notes.py       the annotations of one item
    numbers.py     ids that something else here has already
"""
