"""The X-Mailjet-* and X-MJ-* headers of the SMTP relay (contract section 3.2), read into `Options`. Any case; all are stripped later.

What this version does not obey yet is kept with the submission in `Options.other`.
"""

import re
from typing import Final

from estafette.mail.header import Header
from estafette.model import Options

IDEMPOTENCY: Final = "x-estafette-idempotency-key"
_YES: Final = frozenset({"true", "yes", "y", "1"})
_CAMPAIGN = re.compile(r"[\w \-]{1,255}")
_TEXT: Final = {
    "x-mj-customid": "custom_id",
    "x-mj-eventpayload": "event_payload",
    "x-mj-monitoringcategory": "monitoring_category",
}
MAX_VALUE: Final = 8192


class OptionError(ValueError):
    """A header of ours with a value that cannot be obeyed; the text names it."""


def read_options(header: Header) -> tuple[Options, str]:
    """(options, idempotency key or ""). Raises OptionError; of a repeated header the first counts."""
    values: dict[str, str] = {}
    for field in header:
        if field.key.startswith(("x-mailjet-", "x-mj-", "x-estafette-")) and field.key not in values:
            values[field.key] = field.text[:MAX_VALUE]
    if not values:
        return Options(), ""
    key = values.pop(IDEMPOTENCY, "")
    if len(key) > 255:
        raise OptionError("X-Estafette-Idempotency-Key is longer than 255 characters")
    given: dict[str, object] = {_TEXT[name]: values.pop(name) for name in list(values) if name in _TEXT}
    campaign = values.pop("x-mailjet-campaign", "")
    if campaign and not _CAMPAIGN.fullmatch(campaign):
        raise OptionError("X-Mailjet-Campaign: at most 255 letters, digits, spaces, dashes and underscores")
    deduplicate = values.pop("x-mailjet-deduplicatecampaign", "").strip().lower() in _YES
    if deduplicate and not campaign:
        raise OptionError("X-Mailjet-DeduplicateCampaign needs X-Mailjet-Campaign")
    priority = values.pop("x-mailjet-prio", "2").strip()
    if priority not in ("0", "1", "2", "3"):
        raise OptionError("X-Mailjet-Prio must be 0, 1, 2 or 3")
    options = Options(
        campaign=campaign,
        deduplicate=deduplicate,
        priority=int(priority),
        track_opens=_switch(values, "X-Mailjet-TrackOpen"),
        track_clicks=_switch(values, "X-Mailjet-TrackClick"),
        other=values,
        **given,  # type: ignore[arg-type]
    )
    return options, key


def _switch(values: dict[str, str], name: str) -> bool | None:
    value = values.pop(name.lower(), "").strip()
    if value not in ("", "0", "1"):
        raise OptionError(f"{name} must be 0 or 1")
    return None if not value else value == "1"
