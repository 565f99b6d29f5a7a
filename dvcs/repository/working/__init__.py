"""
Working copies: sources as folders in their own format, edited by people and tools.

    copies.py, tracking.py         records of which folder holds what; made, and forgotten
    worktree.py                    status, and committing what was changed
    reading.py, statindex.py, ignore.py
                                   one look at a copy, mostly by stat
    rendering.py, bringback.py, difference.py, examining.py, onto.py
                                   what was changed in it, compared with what was written out
    recording.py                   that committed
    checkout.py, rewriting.py, placing.py, carrying.py
                                   copies rewritten: planned, staged, put in place, never half
"""
