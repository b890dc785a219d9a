"""The country of an address, by a database in MaxMind's format (GeoLite2, DB-IP lite and others) when one is configured."""

from collections.abc import Callable
from pathlib import Path


class CountriesError(Exception):
    """The database cannot be used; the text says why."""


def no_country(address: str) -> str:
    """Where no database is configured."""
    return ""


def open_countries(path: str) -> Callable[[str], str]:
    """A function from address to two letters, "" when unknown. An empty path: no database. Raises CountriesError."""
    if not path:
        return no_country
    try:
        import maxminddb
    except ImportError:
        raise CountriesError("tracking.country_database needs the extra: pip install 'estafette[geo]'") from None
    try:
        database = maxminddb.open_database(Path(path))
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise CountriesError(f"tracking.country_database: {path} cannot be read: {error}") from None

    def country_of(address: str) -> str:
        try:
            found = database.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return ""
        for key in ("country", "registered_country"):
            entry = found.get(key) if isinstance(found, dict) else None
            code = entry.get("iso_code") if isinstance(entry, dict) else None
            if isinstance(code, str) and len(code) == 2 and code.isalpha():
                return code.upper()
        return ""

    return country_of
