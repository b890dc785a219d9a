"""`python -m estafette.web.words`: see the package."""

from estafette.web.words import update

update()
