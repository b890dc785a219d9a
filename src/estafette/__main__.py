"""`python -m estafette`: the same as the command `estafette`."""

from estafette.cli import main

main()
