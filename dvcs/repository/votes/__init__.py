"""
Votes of annotators, of branches and of datasets on disk: many versions become one.

    voting.py, plan.py, round.py   a voting merge: what is voted, by whom, and how it ended
    sources.py, rows.py, datasets.py
                                   the versions walked together: of commits, by item; of datasets
    numbers.py, report.py          ids of the outcome; what was found, as data

How shapes are clustered and counted is for `dvcs.vote`, which knows no repository.
"""
