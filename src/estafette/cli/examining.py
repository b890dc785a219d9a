"""What `check` and `doctor` look at: one function per question, each answering with findings.

A finding is ok, a warning (it will work, but not as well as it could) or a problem (it will not work). `check` asks what can be known without
touching the network or the database; `doctor` asks everything.
"""

import errno
import os
import socket
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.resolver

from estafette.clock import Clock, to_datetime
from estafette.config import Config
from estafette.log import one_line
from estafette.quantities import Endpoint
from estafette.vault import VaultError, open_vault

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str
    grade: str  # ok, warning, problem
    text: str


def environment(config: Config, clock: Clock) -> list[Finding]:
    """Files, names and rights that the configuration speaks of."""
    return [*hostname(config), *certificate(config), *database_place(config), *master_key(config, clock)]


def hostname(config: Config) -> list[Finding]:
    """Our name must be one that other servers accept."""
    name = config.server.hostname
    if "." not in name:
        return [Finding("hostname", WARNING, f"{name} is not a full name: set server.hostname to a name that resolves to this machine")]
    return [Finding("hostname", OK, name)]


def certificate(config: Config) -> list[Finding]:
    """Certificate and key load and belong together."""
    door = config.submission
    if not door.tls_cert:
        return [Finding("TLS", WARNING, "no certificate: submission listeners offer no STARTTLS")]
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(door.tls_cert, door.tls_key, password=_no_password)
    except (OSError, ValueError) as error:
        return [Finding("TLS", PROBLEM, f"{door.tls_cert} with {door.tls_key}: {error}")]
    return [Finding("TLS", OK, f"{door.tls_cert} loads with its key")]


def _no_password() -> str:
    raise ValueError("the private key is protected by a password: nobody is there to type it")


def database_place(config: Config) -> list[Finding]:
    """The folder of the SQLite file can be written and has room."""
    path = config.database.sqlite_path
    if path is None:
        return []
    folder = _nearest_folder(path)
    if path.exists() and not os.access(path, os.W_OK):
        return [Finding("database file", PROBLEM, f"{path} cannot be written by this user")]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [Finding("database file", PROBLEM, f"{folder} cannot be written by this user")]
    free = os.statvfs(folder)
    free_bytes = free.f_bavail * free.f_frsize
    if free_bytes < config.limits.min_free_disk_bytes:
        return [Finding("disk", PROBLEM, f"{free_bytes // 10**6} MB free at {folder}, less than limits.min_free_disk: new mail is refused")]
    return [Finding("database file", OK, f"{path}"), Finding("disk", OK, f"{free_bytes // 10**6} MB free")]


def _nearest_folder(path: Path) -> Path:
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def master_key(config: Config, clock: Clock) -> list[Finding]:
    """The master key is well formed and nobody else can read it; a missing file is made by the first command that needs it."""
    path = config.master_key_path
    if not config.secrets.master_key and not path.exists():
        return [Finding("master key", OK, f"{path} will be made")]
    try:
        open_vault(config, clock)
    except VaultError as error:
        return [Finding("master key", PROBLEM, str(error))]
    if not config.secrets.master_key and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return [Finding("master key", WARNING, f"{path} can be read by other users: chmod 600 {path}")]
    return [Finding("master key", OK, "from the configuration" if config.secrets.master_key else str(path))]


def name_resolves(config: Config) -> list[Finding]:
    """Our name leads to an address: receivers look."""
    name = config.server.hostname
    try:
        found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None)})
    except OSError as error:
        return [Finding("hostname", WARNING, f"{name} does not resolve ({error.strerror or error}): many servers refuse mail from such a host")]
    return [Finding("hostname", OK, f"{name} resolves to {', '.join(found[:4])}")]


def dns_answers(config: Config, timeout_s: float = 3.0) -> list[Finding]:
    """Every DNS server answers (any answer counts, also a negative one)."""
    servers = list(config.delivery.dns)
    if not servers:
        try:
            servers = [Endpoint(str(server), 53) for server in dns.resolver.Resolver().nameservers]
        except dns.exception.DNSException as error:
            return [Finding("DNS", PROBLEM, f"the machine names no DNS server: {error}")]
    found = []
    for server in servers:
        try:
            dns.query.udp(dns.message.make_query(".", "NS"), server.host, port=server.port, timeout=timeout_s)
        except (dns.exception.DNSException, OSError) as error:
            found.append(Finding("DNS", PROBLEM, f"{server} does not answer: {error or type(error).__name__}"))
        else:
            found.append(Finding("DNS", OK, f"{server} answers"))
    return found


def listeners_free(config: Config) -> list[Finding]:
    """Every listener can be opened, or is open already because Estafette runs."""
    wanted = [*config.submission.listen, *config.submission.tls_listen, *config.inbound.listen, config.http.listen]
    return [_can_bind(endpoint) for endpoint in wanted]


def _can_bind(endpoint: Endpoint) -> Finding:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((endpoint.host, endpoint.port))
            trial.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return Finding("listener", WARNING, f"{endpoint} is in use: fine if that is Estafette itself")
            if error.errno == errno.EACCES:
                return Finding("listener", PROBLEM, f"{endpoint}: this user may not open ports below 1024 (CAP_NET_BIND_SERVICE, or another port)")
            return Finding("listener", PROBLEM, f"{endpoint}: {error.strerror}")
    return Finding("listener", OK, f"{endpoint} is free")


def sources_are_ours(config: Config) -> list[Finding]:
    """Mail can leave from every configured source address."""
    found = []
    for source in config.delivery.sources:
        with socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET) as trial:
            try:
                trial.bind((source, 0))
            except OSError as error:
                found.append(Finding("source", PROBLEM, f"{source} is not an address of this machine ({error.strerror})"))
            else:
                found.append(Finding("source", OK, source))
    return found


def clock_is_plausible(clock: Clock) -> list[Finding]:
    """A clock years behind makes signatures and due times worthless."""
    now = to_datetime(clock.now_us())
    if now.year < 2026:
        return [Finding("clock", PROBLEM, f"it says {now:%Y-%m-%d}, which is before this version was made")]
    return [Finding("clock", OK, f"{now:%Y-%m-%d %H:%M:%S} UTC")]


def line(finding: Finding) -> str:
    """The finding as printed."""
    return f"{finding.grade.ljust(8)} {finding.what}: {one_line(finding.text)}"
