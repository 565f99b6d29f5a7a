"""
The versioned policy, `dvcs.toml`: what a commit must hold.

    text.py          the file read into a `Policy`
    policy.py        whether a new commit may be; what it looks at is in view.py
    judge.py         what each rule has against changes; leaks.py for media in two subsets
    policy_file.py   the file in the working folder
"""
