"""A submitter by SMTP who wants failure reports gets one in its mailbox, through the whole platform."""

import email

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, mail
from tests.world import Act


async def test_the_submitter_is_told_what_failed_and_what_was_handed_over(world: World) -> None:
    world.mx.replies = {"rcpt": {"nobody@dest.example": Act("550 5.1.1 no such user")}}
    async with world.platform(workers=2) as platform:
        platform.command("account", "set", "shop", "--failure-reports", "--json")
        await platform.stop()  # a running worker would know within seconds
        await platform.start()
        with platform.connect() as client:
            client.ehlo()
            assert "dsn" in client.esmtp_features
            client.mail("back@dest.example", ["ENVID=e+2B1"])
            assert client.rcpt("nobody@dest.example", ["ORCPT=rfc822;Nobody@dest.example"])[0] == 250
            assert client.rcpt("somebody@dest.example", ["NOTIFY=SUCCESS"])[0] == 250
            assert client.rcpt("nobody@null.example", ["NOTIFY=NEVER"])[0] == 250
            assert client.data(mail(author=f"news@{DOMAIN}"))[0] == 250
        await world.mx.wait_for(3)
        messages = await platform.settled(5)
        platform.assert_nothing_is_missing()
    assert len(world.mx.mails) == 3
    assert sorted((m["to"], m["state"]) for m in messages) == [
        ("back@dest.example", "delivered"), ("back@dest.example", "delivered"), ("nobody@dest.example", "hard_bounced"),
        ("nobody@null.example", "hard_bounced"), ("somebody@dest.example", "delivered"),
    ]  # fmt: skip
    reports = world.mx.mails_to("back@dest.example")
    assert [report.reverse_path for report in reports] == ["", ""]
    told = {}
    for report in reports:
        parsed = email.message_from_bytes(report.content)
        about, recipient = parsed.get_payload()[1].get_payload()  # type: ignore[union-attr,index]
        assert about["Original-Envelope-Id"] == "e+1" and about["Reporting-MTA"] == "dns; relay.test"  # type: ignore[index]
        told[recipient["Final-Recipient"]] = (recipient["Action"], recipient["Status"], recipient["Diagnostic-Code"])  # type: ignore[index]
    assert told["rfc822; nobody@dest.example"] == ("failed", "5.1.1", "smtp; 550 5.1.1 no such user")
    assert told["rfc822; somebody@dest.example"][:2] == ("relayed", "2.0.0")
