"""Which resources there are, and which there are not."""

from collections.abc import Mapping
from typing import Final

from estafette.api.rest import (
    accounts,
    callbacks,
    campaigns,
    contacts,
    counters,
    happenings,
    jobs,
    lists,
    messages,
    newsletters,
    routes,
    senders,
    templates,
    totals,
)
from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call
from estafette.api.rest.describing import describe
from estafette.api.rest.resource import Filter, Found, Kind, Resource, Row, shown


async def _metadata(call: Call) -> Found:
    want = call.listing
    found = [one for one in RESOURCES.values() if want.get("ReadOnlyResources") is None or (one.verbs == ("GET",)) == want.get("ReadOnlyResources")]
    return arrange([describe(one) for one in found], want)


async def _metadata_one(call: Call) -> Row | None:
    found = RESOURCES.get(call.key.lower())
    return describe(found) if found else None


METADATA: Final = Resource("metadata", "This list: every resource with its properties, filters, sorts and actions.", (
    shown("Actions", Kind.LIST), shown("Description", Kind.STR), shown("Filters", Kind.LIST), shown("IsReadOnly", Kind.BOOL), shown("Name", Kind.STR),
    shown("PrivateOperations", Kind.STR, "Always empty."), shown("Properties", Kind.LIST), shown("PublicOperations", Kind.STR),
    shown("SortInfo", Kind.LIST), shown("UniqueKey", Kind.STR),
), (Filter("ReadOnlyResources", Kind.BOOL),), ("Name",), "Name", many=_metadata, one=_metadata_one,
    has_long_keys=True)  # fmt: skip

_MODULES: Final = (accounts, callbacks, campaigns, contacts, counters, happenings, jobs, lists, messages, newsletters, routes, senders, templates,
                   totals)  # fmt: skip
ALL: Final = (*(one for module in _MODULES for one in module.RESOURCES), METADATA)
RESOURCES: Final[Mapping[str, Resource]] = {one.name.lower(): one for one in ALL}

ABSENT: Final = (
    ("aggregategraphstatistics, axtesting, campaignaggregate, workflow, workflowstatistics", "A/B tests of Mailjet's own kind, groupings, automation"),
    ("campaigngraphstatistics, domainstatistics, liststatistics", "use graphstatistics, statistics/recipient-esp and listrecipientstatistics"),
    ("apikeyaccess, apikeyaccessgrantor, apitoken", "delegation between customers of Mailjet"),
    ("batchjob", "jobs are read by the action that started them, or by csvimport"),
    ("contacthistorydata", "historic data is not kept"),
    ("contactslistsignup, widget, widgetcustomvalue", "Mailjet's subscription widgets"),
    ("contactslist/{id}/verify", "list verification is a service of Mailjet"),
    ("newslettertemplate, newslettertemplatecategory, preset", "the gallery of Mailjet's editor"),
    ("activitycounters, contactactivity, useractivity, useragent", "internal series of Mailjet"),
    ("returnpath, apppreferences, preferences", "settings of Mailjet's own installation"),
    ("/v1/REST/templates, /v1/data/images, tokens, labels", "the newer Content API: templates are under `template`"),
    ("/v4/sms, /v4/sms-send", "no text messages"),
)
"""What the contract names and we do not have."""
