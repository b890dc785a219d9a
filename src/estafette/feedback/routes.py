"""The public paths of the room: `/o/<token>` image, `/c/<token>` link, `/u/<token>` unsubscribe page, `/p/<token>` preferences.

Mounted by the composition root.
"""

from dataclasses import dataclass

from starlette.routing import Route

from estafette.clock import Clock
from estafette.config import Tracking
from estafette.feedback.countries import open_countries
from estafette.feedback.http import READS, Endpoint
from estafette.feedback.permissions import Permissions
from estafette.feedback.preferences import Preferring
from estafette.feedback.unsubscribing import Unsubscribing
from estafette.feedback.visits import Visits
from estafette.mail.token import Keyring
from estafette.prepare.tokens import CLICK, OPEN, PATHS, PREFERENCES, UNSUBSCRIBE
from estafette.store.seam import Store


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a recipient may change by the links of a mail."""

    unsubscribing: Unsubscribing
    preferring: Preferring


def open_desks(store: Store, clock: Clock, keyring: Keyring, tracking: Tracking = Tracking()) -> tuple[Visits, Leaving]:
    """What stands behind the paths; `Visits` is to be closed before the store is. Raises CountriesError for a database that cannot be used."""
    country_of = open_countries(tracking.country_database)
    visits = Visits(store, Permissions(store.privacy, clock), clock, keyring, country_of=country_of, keeps_addresses=tracking.keep_addresses)
    keeps = tracking.keep_addresses
    return visits, Leaving(Unsubscribing(store, clock, keyring, keeps_addresses=keeps), Preferring(store, clock, keyring, keeps_addresses=keeps))


def feedback_routes(visits: Visits, leaving: Leaving) -> list[Route]:
    """What the HTTP listener of a worker mounts beside the API. None of them asks who calls: the token is the permission."""
    return [
        Route(f"/{PATHS[OPEN]}/{{token}}", Endpoint(visits.opened, *READS)),
        Route(f"/{PATHS[CLICK]}/{{token}}", Endpoint(visits.clicked, *READS)),
        Route(f"/{PATHS[UNSUBSCRIBE]}/{{token}}", Endpoint(leaving.unsubscribing.page, *READS, "POST")),
        Route(f"/{PREFERENCES}/{{token}}", Endpoint(leaving.preferring.page, *READS, "POST")),
    ]
