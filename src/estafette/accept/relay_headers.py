"""The X-Mailjet-* and X-MJ-* headers of the SMTP relay (contract section 3.2), read into `Options` and a `Wish`. Any case; all are stripped later.

Headers of this kind that mean nothing here (X-Mailjet-Debug, X-MJ-WorkflowID, ...) are kept with the submission in `Options.other`.
"""

import re
from typing import Final

import msgspec

from estafette.accept.filling import NO_WISH, Wish
from estafette.mail.address import AddressError, parse
from estafette.mail.header import Header
from estafette.model import AfterUncertain, Options
from estafette.prepare.template.running import Value

IDEMPOTENCY: Final = "x-estafette-idempotency-key"
VARIABLES: Final = "x-mj-vars"
_YES: Final = frozenset({"true", "yes", "y", "1"})
_CAMPAIGN = re.compile(r"[\w \-]{1,255}")
_URL_TAGS: Final = 256
_TEXT: Final = {
    "x-mj-customid": "custom_id",
    "x-mj-eventpayload": "event_payload",
    "x-mj-monitoringcategory": "monitoring_category",
}
MAX_VALUE: Final = 8192


class OptionError(ValueError):
    """A header of ours with a value that cannot be obeyed; the text names it."""


def read_options(header: Header) -> tuple[Options, Wish, str]:
    """(options, how the texts are made, idempotency key or ""). Raises OptionError; of a repeated header the first counts."""
    values: dict[str, str] = {}
    for field in header:
        if field.key.startswith(("x-mailjet-", "x-mj-", "x-estafette-")) and field.key not in values:
            values[field.key] = field.text if field.key == VARIABLES else field.text[:MAX_VALUE]
    if not values:
        return Options(), NO_WISH, ""
    key = values.pop(IDEMPOTENCY, "")
    if len(key) > 255:
        raise OptionError("X-Estafette-Idempotency-Key is longer than 255 characters")
    given: dict[str, object] = {_TEXT[name]: values.pop(name) for name in list(values) if name in _TEXT}
    wish = _wish(values)
    campaign = values.pop("x-mailjet-campaign", "")
    if campaign and not _CAMPAIGN.fullmatch(campaign):
        raise OptionError("X-Mailjet-Campaign: at most 255 letters, digits, spaces, dashes and underscores")
    deduplicate = values.pop("x-mailjet-deduplicatecampaign", "").strip().lower() in _YES
    if deduplicate and not campaign:
        raise OptionError("X-Mailjet-DeduplicateCampaign needs X-Mailjet-Campaign")
    url_tags = values.pop("x-mj-urltags", "").strip()
    if len(url_tags) > _URL_TAGS:
        raise OptionError(f"X-MJ-URLTags is longer than {_URL_TAGS} characters")
    priority = values.pop("x-mailjet-prio", "2").strip()
    if priority not in ("0", "1", "2", "3"):
        raise OptionError("X-Mailjet-Prio must be 0, 1, 2 or 3")
    after_uncertain = values.pop("x-estafette-uncertain", "").strip().lower()
    if after_uncertain not in ("", *AfterUncertain):
        raise OptionError(f"X-Estafette-Uncertain must be {', '.join(AfterUncertain)}")
    tls = values.pop("x-estafette-tls", "").strip().lower()
    if tls not in ("", "require"):
        raise OptionError("X-Estafette-TLS must be require")
    options = Options(
        after_uncertain=after_uncertain,
        require_tls=tls == "require",
        campaign=campaign,
        deduplicate=deduplicate,
        priority=int(priority),
        track_opens=_switch(values, "X-Mailjet-TrackOpen"),
        track_clicks=_switch(values, "X-Mailjet-TrackClick"),
        url_tags=url_tags,
        other=values,
        **given,  # type: ignore[arg-type]
    )
    return options, wish, key


def _wish(values: dict[str, str]) -> Wish:
    template = values.pop("x-mj-templateid", "").strip()
    has_language = values.pop("x-mj-templatelanguage", "").strip().lower() in _YES
    reports_to = values.pop("x-mj-templateerrorreporting", "").strip()
    is_delivered = values.pop("x-mj-templateerrordeliver", "").strip().lower() in _YES | {"deliver"}
    if (reports_to or is_delivered) and not has_language:
        raise OptionError("X-MJ-TemplateErrorReporting and X-MJ-TemplateErrorDeliver need X-MJ-TemplateLanguage")
    if template and not (template.isascii() and template.isdecimal() and len(template) <= 18):
        raise OptionError("X-MJ-TemplateID must be the id of a template")
    try:
        reports_to = str(parse(reports_to)) if reports_to else ""
    except AddressError as error:
        raise OptionError(f"X-MJ-TemplateErrorReporting is not an address: {error}") from None
    return Wish(int(template) if template else None, has_language, _variables(values.pop(VARIABLES, "")), reports_to, is_delivered)


def _variables(text: str) -> dict[str, Value]:
    if not text.strip():
        return {}
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise OptionError("X-MJ-Vars is not JSON") from None
    if not isinstance(found, dict):
        raise OptionError("X-MJ-Vars must be a JSON object")
    return found


def _switch(values: dict[str, str], name: str) -> bool | None:
    value = values.pop(name.lower(), "").strip()
    if value not in ("", "0", "1"):
        raise OptionError(f"{name} must be 0 or 1")
    return None if not value else value == "1"
