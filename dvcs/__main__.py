"""`python -m dvcs`."""

from dvcs.commands import main

main()
