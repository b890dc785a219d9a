"""The command `tls report`: what became of TLS towards domains that have a policy, as RFC 8460 reports it."""

import datetime
from collections.abc import Sequence
from typing import Any

import click

from estafette.cli.arguments import DOMAIN
from estafette.cli.ground import Ground, options
from estafette.cli.printing import print_json, print_table
from estafette.clock import DAY_US, to_datetime
from estafette.nouns import TlsResult

_EPOCH = datetime.date(1970, 1, 1)


@click.group()
def tls() -> None:
    """TLS towards receiving servers."""


@tls.command("report")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day, in UTC; default: today.")
@click.option("--domain", type=DOMAIN, help="Only this domain.")
@options
def tls_report(ground: Ground, day: datetime.datetime | None, domain: str | None) -> None:
    """Report sessions to domains that publish a TLS policy, and what failed. With --json: one report per domain in the format of RFC 8460.

    Example: estafette tls report --day 2026-11-26 --domain example.com --json
    """
    today = to_datetime(ground.clock.now_us()).date()
    number = (day.date() - _EPOCH).days if day else ground.clock.now_us() // DAY_US
    found = ground.run(lambda store: store.tls.results(number, domain))
    if not ground.is_json:
        print_table(("domain", "policy", "MX", "from", "outcome", "sessions"),
                    [(r.domain, r.policy_type, r.mx, r.source, r.outcome or "ok", n) for r, n in found], "no sessions with a policy that day")  # fmt: skip
        return
    for name in dict.fromkeys(result.domain for result, _ in found):
        date = day.date() if day else today
        print_json(report_of(name, date, ground.config.server.hostname, [(r, n) for r, n in found if r.domain == name]))


def report_of(domain: str, date: datetime.date, hostname: str, results: Sequence[tuple[TlsResult, int]]) -> dict[str, Any]:
    """The JSON of RFC 8460 4.4 about one domain and day."""
    policies = []
    for kind, policy in dict.fromkeys((r.policy_type, r.policy) for r, _ in results):
        rows = [(r, n) for r, n in results if (r.policy_type, r.policy) == (kind, policy)]
        policies.append({
            "policy": {"policy-type": kind, "policy-string": policy.splitlines(), "policy-domain": domain},
            "summary": {"total-successful-session-count": sum(n for r, n in rows if not r.outcome),
                        "total-failure-session-count": sum(n for r, n in rows if r.outcome)},
            "failure-details": [{"result-type": r.outcome, "sending-mta-ip": r.source, "receiving-mx-hostname": r.mx, "failed-session-count": n}
                                for r, n in rows if r.outcome],
        })  # fmt: skip
    return {"organization-name": hostname, "report-id": f"{date.isoformat()}_{domain}",
            "date-range": {"start-datetime": f"{date.isoformat()}T00:00:00Z", "end-datetime": f"{date.isoformat()}T23:59:59Z"},
            "contact-info": f"postmaster@{hostname}", "policies": policies}  # fmt: skip
