"""S0, the first steps: what is missing until mail arrives well, each with why, what to copy, and what the DNS says now; a first test message."""

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from starlette.responses import Response

from estafette.accept.examine import examine
from estafette.accept.submit import Recipient, Request
from estafette.deliver.answers import AnswerKind, Mx
from estafette.deliver.dns import Resolver
from estafette.deliver.publishing import Published, Seen
from estafette.mail.address import AddressError, parse, parse_mailbox
from estafette.mail.compose import Draft, compose
from estafette.model import Door, Options
from estafette.web.desk import Refused, Visit
from estafette.web.domains import look
from estafette.web.languages import marked as _

PURPOSES: Final = ("ownership", "dkim", "spf", "dmarc", "return_path", "tracking")
CONNECT_WITHIN_S: Final = 4.0
MAX_SOURCES: Final = 4
REFERENCE_HOSTS: Final = ("gmail.com", "outlook.com")
"""Domains whose mail servers are always there: whether port 25 leads out is tried with one of them."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: done, failed (something else was found), to do, or unknown."""

    key: str
    word: str
    why: str
    seen: Seen
    published: tuple[Published, ...] = ()
    found: str = ""


WORDS: Final = {
    "domain": (_("Add the sending domain"), _("Mail is sent in the name of a domain that is yours.")),
    "ownership": (_("Prove that it is yours"), _("A record that only the owner of the domain can publish.")),
    "dkim": (_("Publish the DKIM key"), _("Every mail is signed; with this key the receiving server checks the signature.")),
    "spf": (_("Allow our servers (SPF)"), _("Says which servers may send for the domain.")),
    "dmarc": (_("Publish a DMARC policy"),
              _("Says what is to become of mail that fails both checks. DKIM counts when the signing domain and the From domain agree.")),
    "return_path": (_("Point the return path here"), _("Failure reports come back to this domain; without it late errors stay unknown.")),
    "tracking": (_("Point the tracking host here"), _("Tracked links begin with this name.")),
    "reverse": (_("Reverse DNS of the sending address"), _("Many servers refuse mail from an address whose name does not lead back to it.")),
    "outbound": (_("Outgoing port 25"), _("Some hosting providers block it; without it no mail leaves. Ask yours to open it.")),
}


async def steps_left(visit: Visit) -> int:
    """Steps that need no look into the DNS: 0 when a domain is verified and mail was sent."""
    rows = await visit.store.screens.domains(visit.account_id)
    newest = await visit.store.screens.newest_event(visit.account_id)
    return int(not any(row.is_verified for row in rows)) + int(newest == 0)


async def start(visit: Visit) -> Response:
    """The page, for one domain at a time."""
    rows = await visit.store.screens.domains(visit.account_id)
    row = next((r for r in rows if r.name == visit.query("domain")), rows[0] if rows else None)
    steps = [Step("domain", *WORDS["domain"], Seen.OK if row else Seen.MISSING, (), row.name if row else "")]
    if row is not None:
        published = await look(visit, row)
        for purpose in PURPOSES:
            own = tuple(p for p in published if p.record.purpose == purpose)
            if own:
                seen = Seen.OK if all(p.seen is Seen.OK for p in own) else next(p.seen for p in own if p.seen is not Seen.OK)
                steps.append(Step(purpose, *WORDS[purpose], seen, own))
    seen, found = await _reverse(visit)
    steps.append(Step("reverse", *WORDS["reverse"], seen, (), found))
    if visit.query("try") == "25":
        seen, found = await _outbound(visit)
        steps.append(Step("outbound", *WORDS["outbound"], seen, (), found))
    else:
        steps.append(Step("outbound", *WORDS["outbound"], Seen.UNKNOWN))
    authors = await visit.store.authors(visit.account_id)
    senders = [f"test@{name}" for name in sorted(authors.domains)] + sorted(authors.addresses)
    done = sum(s.seen is Seen.OK for s in steps)
    return visit.page("start.html", steps=steps, rows=rows, row=row, senders=senders, done=done, problem=visit.query("problem"))


async def _reverse(visit: Visit) -> tuple[Seen, str]:
    """Whether each address that mail leaves from has a name that leads back to it (forward-confirmed reverse DNS). The addresses are the configured sources,
    else those of our host name; what a private address becomes on its way out is not known here."""
    resolver, config = visit.desk.new_resolver(), visit.desk.config
    addresses = [source for source in config.delivery.sources if source not in ("0.0.0.0", "::")]
    if not addresses:
        addresses = [str(a) for kind in ("A", "AAAA") for a in (await resolver.ask(config.server.hostname, kind)).records]
    if not addresses:
        return Seen.MISSING, config.server.hostname
    found = [await _name_of(resolver, address) for address in addresses[:MAX_SOURCES]]
    worst = next((seen for seen in (Seen.WRONG, Seen.MISSING, Seen.UNKNOWN) if seen in {one for one, _ in found}), Seen.OK)
    return worst, ", ".join(text for _, text in found)


async def _name_of(resolver: Resolver, address: str) -> tuple[Seen, str]:
    where = ip_address(address)
    if not where.is_global:
        return Seen.UNKNOWN, address
    answer = await resolver.ask(where.reverse_pointer, "PTR")
    if answer.kind is not AnswerKind.FOUND:
        return (Seen.UNKNOWN if answer.kind is AnswerKind.FAILED else Seen.MISSING), address
    names = [str(name) for name in answer.records[:MAX_SOURCES]]
    for name in names:
        back = await resolver.ask(name, "A" if where.version == 4 else "AAAA")
        if any(ip_address(str(one)) == where for one in back.records):
            return Seen.OK, f"{address} → {name}"
        if back.kind is AnswerKind.FAILED:
            return Seen.UNKNOWN, f"{address} → {name} → ?"
    return Seen.WRONG, f"{address} → {names[0]}"


async def _outbound(visit: Visit) -> tuple[Seen, str]:
    """Whether a connection to port 25 of the world comes about."""
    resolver = visit.desk.new_resolver()
    for name in REFERENCE_HOSTS:
        answer = await resolver.ask(name, "MX")
        host = answer.records[0].host if answer.records and isinstance(answer.records[0], Mx) else ""
        addresses = (await resolver.ask(host, "A")).records if host else ()
        if addresses:
            try:
                async with asyncio.timeout(CONNECT_WITHIN_S):
                    _reader, writer = await asyncio.open_connection(str(addresses[0]), visit.desk.config.delivery.port)
                writer.close()
                return Seen.OK, f"{host}:{visit.desk.config.delivery.port}"
            except (OSError, TimeoutError):
                return Seen.WRONG, f"{host}:{visit.desk.config.delivery.port}"
    return Seen.UNKNOWN, ""


async def send_test(visit: Visit) -> Response:
    """One message to an address of one's own; its page opens, live."""
    authors = await visit.store.authors(visit.account_id)
    try:
        author, recipient = parse_mailbox(visit.given("from", 320)), parse(visit.given("to", 320))
    except AddressError:
        return visit.go(visit.url("start", problem="address"))
    address = author.address
    if not (address.domain in authors.domains or address.key in authors.addresses):
        raise Refused(403)
    words = {
        "en": ("A first message from Estafette", "Good day,\r\n\r\nthis message was sent from the dashboard. If you can read it, mail arrives.\r\n"),
        "fr": ("Un premier message d’Estafette",
               "Bonjour,\r\n\r\nce message a été envoyé depuis le tableau de bord. Si vous le lisez, le courrier arrive.\r\n"),
    }[visit.language]
    raw = compose(Draft(author=author, to=(parse_mailbox(str(recipient)),), subject=words[0], text=words[1]), visit.desk.clock.token_bytes(16))
    account = next(a for a in await visit.store.accounts() if a.id == visit.account_id)
    request = Request(account, Door.HTTP, str(address), (Recipient(recipient),), raw, examine(raw), Options(), "dashboard", visit.peer, "HTTP")
    accepted = (await visit.desk.door.submit([request]))[0]
    await visit.note("message.test", str(recipient))
    return visit.go(visit.url(f"messages/{accepted.messages[0].id}"), "test_sent")
