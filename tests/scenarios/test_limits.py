"""Limits that an operator sets: what the client is told when it meets one, and that they are lifted again."""

import asyncio
import smtplib

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, Platform, mail


def send_quickly(platform: Platform, count: int) -> list[tuple[int, str]]:
    """What each of `count` mails was answered."""
    answers = []
    with platform.connect() as client:
        for i in range(count):
            try:
                client.sendmail(f"news@{DOMAIN}", [f"u{i}@dest.example"], mail())
                answers.append((250, ""))
            except smtplib.SMTPDataError as error:
                answers.append((error.smtp_code, error.smtp_error.decode() if isinstance(error.smtp_error, bytes) else error.smtp_error))
    return answers


async def test_the_rate_of_an_account(small_world: World) -> None:
    async with small_world.platform() as platform:
        platform.command("account", "set", "shop", "--rate", "2", "--json")
        answers = await asyncio.to_thread(send_quickly, platform, 10)
        accepted = [a for a in answers if a[0] == 250]
        assert 2 <= len(accepted) < 10
        assert all(code == 450 and "2 messages per second" in text for code, text in answers if code != 250)
        await platform.settled(len(accepted))
        platform.assert_nothing_is_missing()
    assert len(small_world.mx.mails) == len(accepted)


async def test_a_suspended_account_and_a_key_that_is_off(small_world: World) -> None:
    async with small_world.platform() as platform:
        platform.command("account", "set", "shop", "--suspended", "--json")
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            await asyncio.to_thread(platform.connect)
        assert refused.value.smtp_code == 535
        platform.command("account", "set", "shop", "--active", "--json")
        platform.command("key", "set", platform.key, "--off", "--json")
        await platform.stop()
        await platform.start()  # a running worker would know within ten seconds
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await asyncio.to_thread(platform.connect)
        platform.command("key", "set", platform.key, "--on", "--json")
        await platform.stop()
        await platform.start()
        await asyncio.to_thread(platform.send, "a@dest.example")
        await platform.settled(1)


async def test_recipients_of_one_transaction(small_world: World) -> None:
    async with small_world.platform(sections={"submission": "max_recipients = 3"}) as platform:
        with platform.connect() as client:
            refused = client.sendmail(f"news@{DOMAIN}", [f"u{i}@dest.example" for i in range(5)], mail())
        assert sorted(refused) == ["u3@dest.example", "u4@dest.example"]
        assert {code for code, _ in refused.values()} == {452}
        await platform.settled(3)
    assert len(small_world.mx.mails) == 3
