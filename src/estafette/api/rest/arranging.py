"""Filters, sorts and cuts rows that are all at hand: resources of which an account has few. Pure."""

from collections.abc import Sequence

from estafette.api.rest.resource import Found, Listing, Row


def arrange(rows: Sequence[Row], listing: Listing, equal: Sequence[str] = ()) -> Found:
    """The page that was asked for. `equal`: filters that mean "the property of this name has this value" (or one of these values)."""
    for name in equal:
        wanted = listing.get(name)
        if wanted is not None:
            among = {_comparable(one) for one in (wanted if isinstance(wanted, tuple) else (wanted,))}
            rows = [row for row in rows if _comparable(row[name]) in among]
    if listing.sort:
        rows = sorted(rows, key=lambda row: _comparable(row[listing.sort]), reverse=listing.is_descending)  # type: ignore[arg-type,return-value]
    if listing.is_count_only:
        return Found((), len(rows))
    return Found(rows[listing.offset : listing.offset + listing.limit], len(rows) if listing.wants_total else None)


def _comparable(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value
