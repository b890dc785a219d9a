"""The configuration: one typed tree, every key with its default, its meaning and its limits. `load` reads it.

One TOML file; every key has a default, so that an empty file (or none) is a working configuration on loopback ports. Any key can be
overridden by an environment variable `ESTAFETTE_<SECTION>_<KEY>` (ESTAFETTE_DATABASE_URL, ESTAFETTE_SUBMISSION_LISTEN=a:1,b:2).
In code an attribute ends in its unit (`max_size_bytes`, `give_up_after_s`); in the file the unit is part of the value (`max_size = "25MB"`).
How values are read is in `quantities.py`, how files are read and complained about in `settings.py`; the reference page is made from this file.

Size: mostly one row per key; splitting the tree over files would hide it.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from estafette.quantities import (
    ADDRESS,
    DATABASE_URL,
    DURATION,
    ENDPOINT,
    FEEDBACK_ID,
    FLAG,
    HOSTNAME,
    INTEGER,
    MAILBOX,
    NETWORK,
    NUMBER,
    PATH,
    SIZE,
    TEXT,
    URL,
    Endpoint,
    choice,
    list_of,
)
from estafette.settings import ConfigError, read, setting

DEFAULT_FILE = "estafette.toml"
SQLITE = "sqlite:///"
ROLES = ("accept", "deliver", "web")


@dataclass(frozen=True, slots=True)
class Server:
    """This installation and its processes."""

    hostname: str = setting(
        HOSTNAME, "", "Our name in SMTP greetings, Received fields and Message-IDs. It should resolve to our address and back. Empty: the machine's own name."
    )
    workers: int = setting(INTEGER, 0, "Worker processes. 0: as many as there are processor cores.", low=0, high=64)
    roles: tuple[str, ...] = setting(
        list_of(choice(*ROLES), at_least=1), list(ROLES), "What the workers of this machine do; all of it unless roles are split over machines."
    )
    lease_s: float = setting(
        DURATION,
        "30s",
        "A worker that has not been heard of for this long is declared dead, and the messages that it held go to another.",
        low="1s",
        high="10m",
    )
    drain_within_s: float = setting(DURATION, "30s", "After SIGTERM, how long running sessions may take to finish before they are cut.", low="0s", high="10m")


@dataclass(frozen=True, slots=True)
class Database:
    """Where everything is kept."""

    url: str = setting(
        DATABASE_URL,
        "sqlite:///data/estafette.db",
        'The database: "sqlite:///relative/path.db", "sqlite:////absolute/path.db" or '
        '"postgresql://user:password@host/name". A password is better kept in ESTAFETTE_DATABASE_URL.',
        secret=True,
    )
    connections: int = setting(INTEGER, 6, "PostgreSQL connections of one worker process.", low=2, high=100)

    @property
    def sqlite_path(self) -> Path | None:
        """The database file, None on PostgreSQL."""
        return Path(unquote(self.url.removeprefix(SQLITE))) if self.url.startswith(SQLITE) else None


@dataclass(frozen=True, slots=True)
class SubmissionDoor:
    """Mail in from your own systems, by SMTP."""

    listen: tuple[Endpoint, ...] = setting(
        list_of(ENDPOINT), ["127.0.0.1:2525"], "Listeners that begin in clear and offer STARTTLS when there is a certificate."
    )
    tls_listen: tuple[Endpoint, ...] = setting(list_of(ENDPOINT), [], "Listeners that speak TLS from the first octet (port 465). Needs a certificate.")
    tls_cert: str = setting(PATH, "", "Certificate chain, PEM. Empty: no TLS.")
    tls_key: str = setting(PATH, "", "Private key of the certificate, PEM.")
    max_size_bytes: int = setting(SIZE, "25MB", "Largest mail that is accepted, as it comes over the wire.", low="1kB", high="1GB")
    require_auth: bool = setting(FLAG, True, "Whether a session must log in with an API key and its secret before MAIL FROM.")
    open_account: str = setting(TEXT, "", "The account that pays for sessions without login; only with require_auth = false.")
    allow_plain_auth: str = setting(
        choice("loopback", "never", "always"),
        "loopback",
        "Where a login may cross an unencrypted connection: only on listeners that nobody but this machine can reach, nowhere, or everywhere.",
    )
    bare_newlines: str = setting(
        choice("refuse", "fix"),
        "refuse",
        "What becomes of a mail with a CR or LF that is not part of a CRLF: refused with 550 5.5.2, or each made a CRLF. "
        "The end of a mail is CRLF.CRLF either way.",
    )
    max_recipients: int = setting(INTEGER, 1000, "Recipients of one SMTP transaction.", low=1, high=100_000)
    max_connections: int = setting(INTEGER, 2000, "Open sessions per worker process; the next is told 421.", low=1, high=100_000)
    max_connections_per_address: int = setting(INTEGER, 100, "Open sessions per client address and worker process; the next is told 421.", low=1, high=100_000)
    max_login_failures: int = setting(INTEGER, 3, "Failed logins before a session is ended with 421.", low=1, high=100)
    max_protocol_errors: int = setting(INTEGER, 20, "Refused or unknown commands before a session is ended with 421.", low=1, high=10_000)
    timeout_s: float = setting(
        DURATION, "5m", "Silence of a client after which its session is ended with 421 (RFC 5321 section 4.5.3.2.7).", low="1s", high="1h"
    )


@dataclass(frozen=True, slots=True)
class Http:
    """The Send API, tracking links and the dashboard."""

    listen: Endpoint = setting(  # noqa: RUF009 - a dataclass field, as its neighbours are
        ENDPOINT, "127.0.0.1:8080", "Listener; put a TLS proxy before it when it is to be reached from outside."
    )
    public_url: str = setting(URL, "", "How people and mail clients reach us. Empty: http:// and the listener's address.")
    max_body_bytes: int = setting(SIZE, "32MB", "Largest request body that is read.", low="1kB", high="1GB")
    trusted_proxies: tuple[str, ...] = setting(list_of(ADDRESS), ["127.0.0.1", "::1"], "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.")


@dataclass(frozen=True, slots=True)
class Tracking:
    """What is measured on delivered mail; accounts and single mails may ask for less or more."""

    url: str = setting(URL, "", "Web address that tracked links and pixels begin with. Empty: http.public_url.")
    opens: bool = setting(FLAG, True, "Whether openings are counted unless a mail says otherwise.")
    clicks: bool = setting(FLAG, True, "Whether clicks are counted unless a mail says otherwise.")
    keep_addresses: bool = setting(
        FLAG, False, "Whether the IP addresses of readers are kept whole; otherwise only their network is (the first 24 bits, 48 for IPv6)."
    )
    feedback_id: str = setting(
        FEEDBACK_ID,
        "",
        "Last part of the Feedback-ID field, by which Gmail's Postmaster Tools tell complaints per campaign and account: 5 to 15 characters that stand "
        "for this installation. Empty: no such field.",
    )
    country_database: str = setting(
        PATH, "", "Database in MaxMind's format that tells the country of an address. Needs the extra geo. Empty: countries are not told."
    )


@dataclass(frozen=True, slots=True)
class Inbound:
    """Mail in from the world: reports about what was sent."""

    listen: tuple[Endpoint, ...] = setting(
        list_of(ENDPOINT), ["127.0.0.1:2526"], "Listeners for delivery reports and complaints; the MX of the domain below must lead here."
    )
    domain: str = setting(HOSTNAME, "", "Domain of the return path of every mail. Empty: bounces. and server.hostname.")
    fbl_addresses: tuple[str, ...] = setting(list_of(MAILBOX), [], "Addresses that mailbox providers send complaints to (feedback loops).")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Mail out to the world."""

    port: int = setting(INTEGER, 25, "Port of the receiving servers.", low=1, high=65_535)
    dns: tuple[Endpoint, ...] = setting(list_of(ENDPOINT), [], "DNS servers. Empty: those of the machine.")
    sources: tuple[str, ...] = setting(
        list_of(ADDRESS, at_least=1), ["0.0.0.0"], "Local addresses that mail leaves from. 0.0.0.0: the machine's choice, IPv4 and IPv6."
    )
    ipv6: bool = setting(FLAG, True, "Whether receiving servers are reached over IPv6 too.")
    retry_s: tuple[float, ...] = setting(
        list_of(DURATION, at_least=1),
        ["5m", "15m", "30m", "1h", "2h", "4h"],
        "Pauses after the first, second, ... temporary failure; the last one repeats.",
        low="100ms",
        high="7d",
    )
    retry_jitter: float = setting(
        NUMBER, 0.1, "Each pause is made longer or shorter by up to this share of itself, so that retries do not come in waves.", low=0, high=0.5
    )
    give_up_after_s: float = setting(DURATION, "72h", "Age at which a message is given up, whatever its state in the queue.", low="1s", high="30d")
    connections: int = setting(INTEGER, 20, "Open connections per path (source address and site); rules may allow less.", low=1, high=1000)
    max_connections: int = setting(INTEGER, 500, "Open connections of one worker process over all paths.", low=1, high=20_000)
    messages_per_connection: int = setting(INTEGER, 100, "Messages sent over one connection before it is closed; rules may allow less.", low=1, high=100_000)
    shaping_file: str = setting(
        PATH,
        "",
        "File with limits, rules, source pools and warm-up plans that go on top of the shipped table (`estafette shaping check FILE` examines one). "
        "It is read again when it changes; a wrong one is refused and what held before goes on. Empty: the shipped table alone.",
    )
    tls: str = setting(
        choice("opportunistic", "require", "never"),
        "opportunistic",
        "STARTTLS towards receiving servers: when offered, with mail in clear otherwise; always, with mail deferred otherwise; or never.",
    )
    mta_sts: bool = setting(FLAG, True, "Whether the TLS policies that domains publish (MTA-STS, RFC 8461) are fetched and obeyed.")
    mta_sts_port: int = setting(INTEGER, 443, "Port that policies are fetched from.", low=1, high=65_535)
    dane: bool = setting(
        FLAG, False, "Whether TLSA records are obeyed (DANE, RFC 7672). Only with DNS servers that validate DNSSEC, reached over a path that nobody can alter."
    )
    tls_authorities: str = setting(PATH, "", "Certificates of the authorities that policies are checked against, PEM. Empty: those of the machine.")
    transcripts: str = setting(choice("all", "failures", "none"), "all", "For which attempts the SMTP dialogue (without bodies) is kept in the timeline.")
    connect_timeout_s: float = setting(DURATION, "30s", "Longest wait for a TCP connection.", low="100ms", high="10m")
    command_timeout_s: float = setting(
        DURATION, "5m", "Longest wait for a reply to the greeting, EHLO, MAIL and RCPT (RFC 5321 section 4.5.3.2).", low="100ms", high="30m"
    )
    data_timeout_s: float = setting(DURATION, "10m", "Longest wait for the reply to the final dot (RFC 5321 section 4.5.3.2.6).", low="100ms", high="30m")
    idle_timeout_s: float = setting(DURATION, "5s", "How long an unused connection is kept for the next message.", low="0s", high="5m")
    dns_timeout_s: float = setting(DURATION, "10s", "Longest wait for an answer of the DNS, all servers and retries included.", low="100ms", high="2m")
    flights: str = setting(
        PATH,
        "",
        "Folder in which each worker notes which mails are being handed over, so that after a crash exactly those are known to be uncertain. Local to the "
        "machine. Empty: the name of the SQLite database with .flights instead of .db; on PostgreSQL, estafette.flights in the working directory.",
    )
    evidence_wait_s: float = setting(
        DURATION,
        "1h",
        "How long an account that waits for evidence (estafette account set --uncertain wait) waits for a bounce, an opening or a complaint before a mail "
        "that the receiving server may have is sent again.",
        low="1s",
        high="30d",
    )
    signing_threads: int = setting(INTEGER, 2, "Threads per worker process that make DKIM signatures.", low=1, high=64)


@dataclass(frozen=True, slots=True)
class Blocking:
    """How long an address that failed is not attempted again."""

    hard_bounce_days: int = setting(INTEGER, 90, "Days without attempts after a permanent error.", low=1, high=3650)
    soft_bounce_days: int = setting(INTEGER, 90, "Days without attempts after all retries failed.", low=1, high=3650)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Events that are told to your customers' web servers."""

    allowed_networks: tuple[str, ...] = setting(
        list_of(NETWORK),
        [],
        "Networks that a customer's web address may lead into although they are not public: 10.0.0.0/8 for servers beside this one, 127.0.0.0/8 for a try. "
        "Empty: public addresses only, so that nobody outside reaches what stands inside.",
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is finished is kept; an account may say otherwise. Counters and the block list are kept."""

    content_days: int = setting(INTEGER, 45, "Days that the content of a finished mail is kept.", low=0, high=36_500)
    event_days: int = setting(INTEGER, 395, "Days that messages and their events are kept.", low=1, high=36_500)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The key that seals the private keys in the database, so that a copy of the database alone signs nothing."""

    master_key: str = setting(TEXT, "", "32 octets in base64, preferably given as ESTAFETTE_SECRETS_MASTER_KEY. Empty: the file below.", secret=True)
    master_key_file: str = setting(
        PATH,
        "",
        "File with the master key, made with mode 0600 when it does not exist. "
        "Empty: the name of the SQLite database with .key instead of .db; on PostgreSQL, estafette.key in the working directory.",
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker process may use, so that it answers 452 long before the machine is out of anything."""

    body_in_memory_bytes: int = setting(
        SIZE, "1MB", "A mail being received is kept in memory up to this size, in a temporary file beyond.", low="4kB", high="1GB"
    )
    bodies_bytes: int = setting(SIZE, "256MB", "All mail being received or sent by one worker process; beyond, new mail gets 452 4.3.1.", low="1MB", high="1TB")
    min_free_disk_bytes: int = setting(SIZE, "100MB", "New mail gets 452 4.3.1 when the disk of the database has less than this.", low="0B", high="10TB")


@dataclass(frozen=True, slots=True)
class Log:
    """What is written to standard error."""

    level: str = setting(choice("debug", "info", "warning", "error"), "info", "The least important lines that are written.")
    format: str = setting(choice("text", "json"), "text", "One line per record for people, or one JSON object per line for machines.")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole tree."""

    server: Server = field(default_factory=Server)
    database: Database = field(default_factory=Database)
    submission: SubmissionDoor = field(default_factory=SubmissionDoor)
    http: Http = field(default_factory=Http)
    tracking: Tracking = field(default_factory=Tracking)
    inbound: Inbound = field(default_factory=Inbound)
    delivery: Delivery = field(default_factory=Delivery)
    blocking: Blocking = field(default_factory=Blocking)
    webhooks: Webhooks = field(default_factory=Webhooks)
    retention: Retention = field(default_factory=Retention)
    secrets: Secrets = field(default_factory=Secrets)
    limits: Limits = field(default_factory=Limits)
    log: Log = field(default_factory=Log)

    @property
    def master_key_path(self) -> Path:
        """The file of the master key: as configured, else beside the SQLite database, else in the working directory."""
        if self.secrets.master_key_file:
            return Path(self.secrets.master_key_file)
        beside = self.database.sqlite_path
        return beside.with_suffix(".key") if beside else Path("estafette.key")

    @property
    def flights_path(self) -> Path:
        """The folder of the flight logs: as configured, else beside the SQLite database, else in the working directory."""
        if self.delivery.flights:
            return Path(self.delivery.flights)
        beside = self.database.sqlite_path
        return beside.with_suffix(".flights") if beside else Path("estafette.flights")


def load(path: str | Path | None, environ: Mapping[str, str]) -> Config:
    """Read `path`, or ./estafette.toml when it is None and that file exists, and the environment; ConfigError lists every problem.

    Values that follow from others are filled in: hostname, public_url, tracking.url and inbound.domain are never empty afterwards.
    """
    file = Path(path or DEFAULT_FILE)
    text = ""
    if path or file.exists():
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError([f"{file}: not UTF-8 text (octet {error.start})"]) from None
        except OSError as error:
            raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from None
    return parse(text, str(file), environ, socket.gethostname())


def parse(text: str, file: str, environ: Mapping[str, str], machine: str) -> Config:
    """The configuration of a TOML text; `file` is for messages, `machine` is the name used when none is configured."""
    config = _filled(read(Config, text, file, environ), machine.lower())
    problems = [f"{file}: {problem}" for problem in _contradictions(config)]
    if problems:
        raise ConfigError(problems)
    return config


def _filled(config: Config, machine: str) -> Config:
    hostname = config.server.hostname or machine
    public_url = config.http.public_url or f"http://{config.http.listen}"
    return replace(
        config,
        server=replace(config.server, hostname=hostname),
        http=replace(config.http, public_url=public_url),
        tracking=replace(config.tracking, url=config.tracking.url or public_url),
        inbound=replace(config.inbound, domain=config.inbound.domain or f"bounces.{hostname}"),
    )


def _contradictions(config: Config) -> list[str]:
    """What single keys cannot tell."""
    found = []
    door, delivery = config.submission, config.delivery
    if bool(door.tls_cert) != bool(door.tls_key):
        found.append("submission.tls_cert and submission.tls_key belong together: give both or none")
    if door.tls_listen and not door.tls_cert:
        found.append("submission.tls_listen needs submission.tls_cert and submission.tls_key")
    if door.open_account and door.require_auth:
        found.append("submission.open_account has no effect while submission.require_auth is true")
    if not door.require_auth and not door.open_account:
        found.append("submission.require_auth = false needs submission.open_account, the account that mail without login belongs to")
    if door.max_size_bytes > config.limits.bodies_bytes:
        found.append("submission.max_size is larger than limits.bodies: a mail of that size could never be accepted")
    if delivery.give_up_after_s <= delivery.retry_s[0]:
        found.append("delivery.give_up_after is not longer than the first pause of delivery.retry: no message would ever be tried again")
    listeners = [("submission.listen", e) for e in door.listen] + [("submission.tls_listen", e) for e in door.tls_listen]
    listeners += [("inbound.listen", e) for e in config.inbound.listen] + [("http.listen", config.http.listen)]
    for i, (key, endpoint) in enumerate(listeners):
        twin = next((k for k, e in listeners[:i] if e == endpoint and e.port), None)
        if twin:
            found.append(f"{key} and {twin} both want {endpoint}")
    return found
