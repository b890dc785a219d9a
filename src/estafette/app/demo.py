"""`estafette demo`: the real platform on loopback with a first account, and a small Internet beside it. Nothing leaves the machine."""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from estafette import log
from estafette.app import demo_traffic
from estafette.app.demo_traffic import Order
from estafette.app.sockets import Listener
from estafette.app.supervisor import serve
from estafette.clock import Clock, SystemClock
from estafette.config import Config
from estafette.demo.certificate import self_signed
from estafette.demo.internet import Internet
from estafette.quantities import Endpoint
from estafette.settings import ConfigError
from estafette.signup.book import FormBook
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.seam import Store
from estafette.vault import new_dkim_key, open_vault
from estafette.web.first_admin import NAME as ADMIN
from estafette.web.first_admin import make_first_admin

ACCOUNT: Final = "demo"
DOMAIN: Final = "demo.example"
LIST: Final = "Subscribers of the site"
RETRIES_S: Final = (5.0, 10.0, 20.0, 30.0)
GIVE_UP_S: Final = 120.0

TEXT: Final = """
Estafette runs on this machine only; nothing leaves it. Mail goes to a small simulated Internet.

  Dashboard  {http}/app/
             sign in as {user} with {password}

  SMTP       {smtp}        HTTP  {http}
  API key    {key}
  secret     {secret}

A newsletter and single mails are being sent all the time: look at the dashboard while its figures fill.

Send a mail by SMTP:

  printf 'From: hello@{domain}\\nTo: jo@gmail.test\\nSubject: First mail\\n\\nHello\\n' |
  curl --url smtp://{smtp} --user {key}:{secret} --mail-from hello@{domain} --mail-rcpt jo@gmail.test --crlf -T -

and one by HTTP:

  curl -s -u {key}:{secret} {http}/v3.1/send -H 'Content-Type: application/json' -d \\
    '{{"Messages":[{{"From":{{"Email":"hello@{domain}"}},"To":[{{"Email":"nobody@orange.test"}}],"Subject":"Second mail","TextPart":"Hello"}}]}}'

See what became of them, from another terminal in this folder:

  {command} message list
  {command} message show ID

Any domain takes mail; gmail.test, outlook.test, yahoo.test, orange.test, free.test, corp.test, old.test, slow.test and dead.test each have their habits.
nobody@ is refused, full@ is over quota, grey@ is greylisted, spam@ is rejected after the content, wherever they are.
Stop with Ctrl-C; what was accepted and not yet delivered goes on at the next start.
"""


def demo(config: Config, *, is_fresh: bool = False, sends: bool = True) -> int:
    """Run until SIGINT or SIGTERM; the exit code. `is_fresh`: with an empty database; `sends`: with a customer that sends mail by itself."""
    path = config.database.sqlite_path
    if path is None:
        raise ConfigError(["estafette demo works with SQLite; estafette serve works with PostgreSQL too"])
    if is_fresh:
        _forget(path)
    quiet = dataclasses.replace(config.log, level="error" if config.log.level == "info" else config.log.level)
    inbound = dataclasses.replace(config.inbound, fbl_addresses=config.inbound.fbl_addresses or (f"complaints@{config.inbound.domain}",))
    log.configure(quiet.level, quiet.format)
    inbound_port = config.inbound.listen[0].port if config.inbound.listen else 0
    pid, dns_port, mail_port = _start_internet(inbound_port, next(iter(inbound.fbl_addresses)))
    traffic, order_fd = demo_traffic.start(config) if sends else (0, -1)
    try:
        delivery = dataclasses.replace(
            config.delivery, port=mail_port, dns=(Endpoint("127.0.0.1", dns_port),), retry_s=RETRIES_S, give_up_after_s=GIVE_UP_S, ipv6=False
        )
        ours = dataclasses.replace(config, delivery=delivery, inbound=inbound, log=quiet)
        kept = asyncio.run(_first_account(ours))

        def announce(listeners: Sequence[Listener]) -> None:
            at = {listener.role: str(listener.endpoint) for listener in listeners}
            _tell(at, kept)
            if sends:
                order = Order(f"http://{at['http']}", at["submission"], kept.key, kept.secret, f"news@{DOMAIN}", kept.issue)
                demo_traffic.give(order_fd, order)

        return serve(ours, announce)
    finally:
        for child in filter(None, (traffic, pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)


def _forget(path: Path) -> None:
    """Remove the demo's database and what was kept beside it. A database that is not a demo's is left alone."""
    if path.exists() and not path.with_suffix(".demo.json").exists():
        raise ConfigError([f"--fresh removes the demo's own database only, and {path} is not one (no {path.with_suffix('.demo.json').name} beside it)"])
    for suffix in ("", "-wal", "-shm", ".lock"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    for suffix in (".demo.json", ".demo-handed.json"):
        path.with_suffix(suffix).unlink(missing_ok=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What the demo remembers from one start to the next."""

    key: str
    secret: str
    issue: int  # number of the newsletter's next issue
    password: str  # of the dashboard's first administrator; "" = that was not made here


def _start_internet(inbound_port: int, fbl_address: str) -> tuple[int, int, int]:
    """(process id, port of the DNS, port of the mail servers) of the simulated Internet in a process of its own."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's; it ends us last
        with contextlib.suppress(BaseException):
            asyncio.run(_be_internet(writing, inbound_port, fbl_address))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.readline().split()
    if len(told) != 2:
        os.waitpid(pid, 0)
        raise ConfigError(["the simulated Internet did not start: are the loopback addresses 127.0.77.1 and following usable?"])
    return pid, int(told[0]), int(told[1])


async def _be_internet(writing: int, inbound_port: int, fbl_address: str) -> None:
    clock = SystemClock()
    async with Internet(clock, inbound_port=inbound_port, fbl_address=fbl_address, tls=self_signed("mx.any.test", clock)) as internet:
        os.write(writing, f"{internet.dns.rpartition(':')[2]} {internet.port}\n".encode())
        os.close(writing)
        await asyncio.Event().wait()


async def _first_account(config: Config) -> Kept:
    """The demo's account; its key is kept beside the database, so that a second start prints the same."""
    clock = SystemClock()
    store = await open_store(config.database.url, StatusPolicy(config.blocking.hard_bounce_days, config.blocking.soft_bounce_days), clock)
    try:
        assert config.database.sqlite_path is not None
        file = config.database.sqlite_path.with_suffix(".demo.json")
        account = await store.account(ACCOUNT) or await store.add_account(ACCOUNT, clock.now_us())
        await store.add_domain(account.id, DOMAIN, True, clock.token_bytes(16).hex(), clock.now_us())
        if not await store.dkim_keys(account.id, DOMAIN):
            await store.add_dkim_key(account.id, new_dkim_key(DOMAIN, open_vault(config, clock), clock), clock.now_us())
        kept = _read(file)
        if kept is None or await store.credential(kept.key) is None:
            kept = Kept(clock.token_bytes(16).hex(), clock.token_bytes(16).hex(), 1, await make_first_admin(store, clock))
            await store.add_key(account.id, kept.key, hashlib.sha256(kept.secret.encode()).digest(), clock.now_us())
            await _first_form(store, clock, account.id)
        _keep(file, json.dumps(dataclasses.asdict(kept) | {"issue": kept.issue + 2}))
        return kept
    finally:
        await store.close()


async def _first_form(store: Store, clock: Clock, account_id: int) -> None:
    """A list and a form that leads to it, to be looked at and tried."""
    made = await store.contacts.create_list(account_id, LIST, clock.token_bytes(5).hex(), clock.now_us())
    if made is not None:
        definition = {"language": "en", "author": f"news@{DOMAIN}", "author_name": "Demo", "title": "News of the demo", "asks_name": True,
                      "words": "I want the news of the demo by mail, and can leave at any time."}  # fmt: skip
        await FormBook(store, clock).create(account_id, "Footer of the site", made.id, definition)


def _read(file: Path) -> Kept | None:
    with contextlib.suppress(OSError, ValueError, KeyError):
        found = json.loads(file.read_text())
        return Kept(found["key"], found["secret"], int(found["issue"]), found["password"])
    return None


def _keep(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)


def _tell(at: Mapping[str, str], kept: Kept) -> None:
    command = os.path.relpath(sys.argv[0]) if os.path.basename(sys.argv[0]) == "estafette" else "estafette"
    print(TEXT.format(smtp=at.get("submission", ""), http=f"http://{at.get('http', '')}", key=kept.key, secret=kept.secret, domain=DOMAIN, command=command,
                      user=ADMIN, password=kept.password or "the password that you know"))  # fmt: skip
    print("ready", *(f"{role}={endpoint}" for role, endpoint in at.items()), flush=True)
