"""The nouns of who sends: keys, senders, domains, named campaigns. Rules as in `model.py`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key with its account, as those who look after keys see it. What it means at the door is `model.Credential`."""

    id: int
    account_id: int
    key: str
    name: str = ""
    is_active: bool = True
    scopes: tuple[str, ...] = ()  # send, read, manage; empty = all
    networks: tuple[str, ...] = ()  # that it may be used from; empty = any
    rate_per_s: int = 0  # requests per second; 0 = no limit
    created_at: int = 0
    account_name: str = ""
    is_account_active: bool = True
    parent_id: int = 0  # of its account; 0: this is a key of a main account


@dataclass(frozen=True, slots=True)
class Sender:
    """An address that an account writes as, or all of a domain."""

    id: int  # 0 = not yet in the store
    account_id: int
    address: str  # *@domain: the whole domain
    address_key: str
    name: str = ""
    kind: str = "unknown"  # transactional, bulk, unknown
    is_default: bool = False
    is_verified: bool = False
    created_at: int = 0
    deleted_at: int | None = None
    domain_id: int = 0  # of *@domain

    @property
    def domain(self) -> str:
        """The domain that it stands for as a whole, "" when it is one address."""
        return self.address_key.removeprefix("*@") if self.address_key.startswith("*@") else ""


@dataclass(frozen=True, slots=True)
class SendingDomain:
    """A domain that an account writes from, and what the DNS said of it. Statuses: OK, Error, Not checked, Not found."""

    id: int
    account_id: int
    name: str
    is_verified: bool
    ownership_token: str
    dkim_status: str = "Not checked"
    spf_status: str = "Not checked"
    dmarc_status: str = "Not checked"
    return_path_status: str = "Not checked"
    checked_at: int | None = None
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A named campaign as lists show it. Subject and author are those of its first mail."""

    id: int
    account_id: int
    name: str
    created_at: int
    is_starred: bool
    is_deleted: bool
    first_message_id: int  # 0 = nothing was accepted
    author: str
    subject: str
    first_at: int
    last_at: int
