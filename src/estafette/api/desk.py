"""What all routes share, and the outermost frame of every request: who asks, what they are told when something fails."""

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from estafette import maillog
from estafette.accept.credentials import MANAGE, READ, Doorkeeper, may
from estafette.accept.limits import Bucket, Budget, draw
from estafette.accept.submit import SubmitDoor
from estafette.api import errors
from estafette.api.auth import V3_REALM, credentials_of, peer_of
from estafette.api.errors import CallRefused, Problem
from estafette.api.send_rules import DEFAULT_RULES, Rules
from estafette.clock import Clock
from estafette.deliver.domains import Domains
from estafette.model import Account, Credential
from estafette.store.seam import Store, StoreFault

CLOSING: Final = Problem("", 503, "The service is shutting down; try again in a moment.")
UNAVAILABLE: Final = Problem("", 503, "The service cannot store anything at the moment; nothing was accepted. Try again later.")
NO_DISK: Final = Problem("", 503, "There is too little room on the disk; nothing was accepted. Try again later.")
BROKEN: Final = Problem("", 500, "Internal error. The ErrorIdentifier leads the operator to its cause.")
SUSPENDED: Final = Problem("mj-0001", 401, "Your account or API key is temporarily blocked.")
UNKNOWN: Final = Problem("mj-0015", 401, errors.UNAUTHORISED)
RETRY_AFTER_S: Final = 5
RETRY_FULL_AFTER_S: Final = 60

Endpoint = Callable[["Desk", Request, Account], Awaitable[Response]]


@dataclass(slots=True)
class Desk:
    """One per worker process."""

    store: Store
    keeper: Doorkeeper
    door: SubmitDoor
    clock: Clock
    public_url: str
    max_body_bytes: int
    is_closing: Callable[[], bool]
    rules: Rules = DEFAULT_RULES
    buckets: dict[int, Bucket] = field(default_factory=dict)
    budget: Budget | None = None
    body_within_s: float = 120.0
    has_disk: Callable[[], bool] = lambda: True  # whether the database's disk has `limits.min_free_disk`
    domains: Domains | None = None  # None: this process does not look after domains
    inbound_domain: str = ""  # mail to it comes to our inbound listener
    links_url: str = ""  # what the public pages begin with; "" = public_url
    tracks_opens: bool = True  # what the installation does with accounts that say nothing of it
    key_buckets: dict[str, Bucket] = field(default_factory=dict)  # by API key

    def identifier(self) -> str:
        """A new ErrorIdentifier."""
        return errors.identifier(self.clock.token_bytes(16))

    def draw_request(self, credential: Credential) -> None:
        """Count a request against the key's rate. Raises CallRefused 429."""
        if not credential.rate_per_s:
            return
        bucket, wait_s = draw(self.key_buckets.get(credential.key), 1, credential.rate_per_s, self.clock.monotonic())
        self.key_buckets[credential.key] = bucket
        if wait_s:
            text = f"Rate limit of this API key exceeded: {credential.rate_per_s} requests per second; try again in {wait_s:.1f} s."
            raise CallRefused(Problem("", 429, text), math.ceil(wait_s))

    def draw(self, account: Account, count: int) -> None:
        """Count `count` messages against the account's rate. Raises CallRefused 429."""
        if not account.rate_per_s:
            return
        bucket, wait_s = draw(self.buckets.get(account.id), count, account.rate_per_s, self.clock.monotonic())
        self.buckets[account.id] = bucket
        if wait_s:
            text = f"Rate limit of this account exceeded: {account.rate_per_s} messages per second. Nothing was accepted; try again in {wait_s:.1f} s."
            raise CallRefused(Problem("", 429, text), math.ceil(wait_s))


def answer(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Response(encoded, status, headers, "application/json")


def guarded(desk: Desk, endpoint: Endpoint, *, is_v3: bool, scope: str = "") -> Callable[[Request], Awaitable[Response]]:
    """The endpoint behind authentication, its failures as the contract's answers; `is_v3`: in the older shape of `/v3/REST`. `scope`: what the key must
    be for, "" = reading or managing, as the method says; what managing changed goes to the audit log. `request.state.credential` is the credential."""

    async def run(request: Request) -> Response:
        identifier = desk.identifier()
        try:
            if desk.is_closing():
                raise CallRefused(CLOSING, RETRY_AFTER_S)
            credential = await _credential(desk, request, scope)
            response = await endpoint(desk, request, credential.account)
            if not scope and request.method != "GET" and response.status_code < 300:
                await _log_change(desk, request, credential)
            return response
        except CallRefused as refusal:
            return refused(refusal, identifier, is_v3=is_v3)
        except StoreFault as fault:
            maillog.fault("api", identifier, fault)
            return refused(CallRefused(UNAVAILABLE, RETRY_FULL_AFTER_S if fault.is_full else RETRY_AFTER_S), identifier, is_v3=is_v3)
        except Exception as fault:  # outermost frame of the request
            maillog.fault("api", identifier, fault)
            return refused(CallRefused(BROKEN), identifier, is_v3=is_v3)

    return run


def refused(refusal: CallRefused, identifier: str, *, is_v3: bool) -> Response:
    """The answer to a call that was refused as a whole."""
    problem = refusal.problem
    headers = {"Retry-After": str(refusal.retry_after_s)} if refusal.retry_after_s else {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = V3_REALM
        if is_v3 and problem is UNKNOWN:
            return Response(b"", 401, headers, "text/html")  # contract 5.1, as recorded
    shape = errors.v3_entry(problem, identifier, refusal.info) if is_v3 else errors.entry(problem, identifier)
    return answer(problem.status, shape, headers)


async def _credential(desk: Desk, request: Request, scope: str) -> Credential:
    given = credentials_of(request.headers.get("authorization", ""))
    if given is None:
        raise CallRefused(UNKNOWN)
    peer = peer_of(request.client.host if request.client else "")
    credential = await desk.keeper.admit(given.key, given.secret, peer)
    if credential is None:
        maillog.login_failed("", peer, request.url.scheme)
        raise CallRefused(SUSPENDED if await desk.keeper.is_suspended(given.key, given.secret) else UNKNOWN)
    wanted = scope or (READ if request.method == "GET" else MANAGE)
    if not may(credential, wanted):
        raise CallRefused(Problem("", 403, f"This API key is not for this: it lacks the scope {wanted!r}."))
    desk.draw_request(credential)
    request.state.credential = credential
    return credential


async def _log_change(desk: Desk, request: Request, credential: Credential) -> None:
    """Who changed what: the path says which row and by which action."""
    path = re.sub(r"^/v3/REST/", "", request.url.path, flags=re.IGNORECASE)
    await desk.store.users.note(credential.account.id, f"key {credential.key}", desk.clock.now_us(), request.method, path)
