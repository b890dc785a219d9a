"""The DNS records of a sending domain: which ones are to be published, and what the DNS says of them at this moment."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from estafette.config import Config
from estafette.deliver.answers import Answer, AnswerKind, Mx
from estafette.deliver.dns import Resolver
from estafette.mail.zone import Record, dkim_value, records_of, says_the_same
from estafette.store.seam import Store
from estafette.vault import Vault, VaultError, dkim_label


class Seen(StrEnum):
    """What the DNS says of a record."""

    OK = "ok"
    WRONG = "wrong"  # there is something else under this name
    MISSING = "missing"
    UNKNOWN = "unknown"  # nobody answered


@dataclass(frozen=True, slots=True)
class Published:
    """A record that is to be published, and what was found."""

    record: Record
    seen: Seen
    found: tuple[str, ...] = ()  # what stands there, as far as it is of the record's kind
    why: str = ""  # when nobody answered


async def published_records(store: Store, account_id: int, name: str, token: str, config: Config, vault: Vault) -> list[Record]:
    """All records of a domain, those of keys that wait to sign among them; `token` "" when it is verified. Raises VaultError when the keys cannot be read."""
    keys = []
    for signer in await store.signers.list(account_id, name):
        if signer.state == "retired":
            continue
        stored = signer.key
        private = serialization.load_der_private_key(vault.unseal(stored.sealed_private_key, dkim_label(stored.domain, stored.selector)), None)
        if not isinstance(private, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise VaultError(f"{dkim_label(stored.domain, stored.selector)}: neither an RSA nor an Ed25519 key")
        keys.append((stored.selector, dkim_value(private)))
    return records_of(name, keys, token, config.server.hostname, config.inbound.domain, config.tracking.url, config.delivery.sources)


async def look_up(records: Sequence[Record], resolver: Resolver) -> list[Published]:
    """What the DNS says of each record, all asked at the same time."""
    return list(await asyncio.gather(*(_look_up(record, resolver) for record in records)))


async def _look_up(record: Record, resolver: Resolver) -> Published:
    if record.type == "CNAME":  # what it leads to counts, by whichever way
        here, there = await asyncio.gather(resolver.ask(record.name, "A"), resolver.ask(record.value, "A"))
        if here.kind is AnswerKind.FOUND and there.kind is AnswerKind.FOUND:
            found = tuple(str(address) for address in here.records)
            return Published(record, Seen.OK if set(here.records) & set(there.records) else Seen.WRONG, found)
        return _absent(record, here)
    answer = await resolver.ask(record.name, record.type)
    if answer.kind is not AnswerKind.FOUND:
        return _absent(record, answer)
    texts = [f"{one.preference} {one.host}" if isinstance(one, Mx) else str(one) for one in answer.records]
    alike = tuple(text for text in texts if record.type == "MX" or text.partition("=")[0].strip() == record.value.partition("=")[0].strip())
    if any(says_the_same(record, text) for text in alike):
        return Published(record, Seen.OK, alike)
    return Published(record, Seen.WRONG if alike else Seen.MISSING, alike)


def _absent(record: Record, answer: Answer) -> Published:
    failed = answer.kind is AnswerKind.FAILED
    return Published(record, Seen.UNKNOWN if failed else Seen.MISSING, (), answer.why if failed else "")
