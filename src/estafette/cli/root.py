"""The command `estafette`: every command hangs here."""

import click

from estafette import __version__
from estafette.cli import pausing, why  # noqa: F401  (they hang commands on queue)
from estafette.cli.accounts import account, domain, key, sender
from estafette.cli.auditing import audit_log
from estafette.cli.backup import backup, restore
from estafette.cli.contacts import contact, segment
from estafette.cli.explaining import bounce, reply
from estafette.cli.ground import EXIT_CODES
from estafette.cli.guard import guard
from estafette.cli.held import queue_drop, queue_held, queue_release
from estafette.cli.importing import export, import_, job
from estafette.cli.messages import message
from estafette.cli.newsletters import newsletter
from estafette.cli.parsing import route
from estafette.cli.privacy import consent, link, tracking
from estafette.cli.queue import audit, block, queue, stats
from estafette.cli.rotating import domain_rotate
from estafette.cli.running import check, demo, doctor, serve
from estafette.cli.shaping import shaping
from estafette.cli.tls import tls
from estafette.cli.users import user
from estafette.cli.webhooks import webhook

_CODES = "\n".join(f"    {code}  {meaning}" for code, meaning in EXIT_CODES.items())


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog=f"\b\nExit codes:\n{_CODES}",
)
@click.option("--config", "config_path", metavar="FILE", help="Configuration file; default ./estafette.toml, or the variable ESTAFETTE_CONFIG.")
@click.version_option(__version__, prog_name="estafette")
def root(config_path: str | None) -> None:
    """Estafette, an e-mail delivery platform that you run yourself.

    \b
    First steps:
      estafette check                      is the configuration right?
      estafette account add shop           an account with its API key
      estafette domain add example.com     the DNS records to publish
      estafette serve                      run
      estafette message list               what became of the mail
    """


COMMANDS = (
    serve,
    demo,
    check,
    doctor,
    account,
    user,
    key,
    domain,
    sender,
    message,
    queue,
    block,
    stats,
    audit,
    bounce,
    reply,
    shaping,
    webhook,
    guard,
    backup,
    restore,
    tracking,
    consent,
    link,
    tls,
    route,
    import_,
    export,
    job,
    contact,
    segment,
    newsletter,
)
for command in COMMANDS:
    root.add_command(command)
for waiting in (queue_held, queue_release, queue_drop):
    queue.add_command(waiting)
domain.add_command(domain_rotate)
audit.add_command(audit_log)
