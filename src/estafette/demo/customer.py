"""The demo's customer: hands over a newsletter by HTTP and transactional mail by SMTP and HTTP, through the public doors only, and remembers what was taken."""

import asyncio
import smtplib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final

import httpx2

from estafette.demo.crowd import Letter, errand, newsletter
from estafette.demo.providers import chance

PER_CALL: Final = 50
PATIENCE_S: Final = 30.0


@dataclass(slots=True)
class Customer:
    """Who sends. `handed` counts per recipient what the platform promised to deliver."""

    http: str  # base URL
    smtp: str  # host:port
    key: str
    secret: str
    author: str
    seed: int = 1
    handed: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    async def campaign(self, number: int, recipients: Sequence[str], told: Callable[[int], None] = lambda count: None) -> None:
        """One issue of the newsletter to all of them, in calls of fifty; `told` hears how many were handed over with each call."""
        async with self._client() as client:
            for start in range(0, len(recipients), PER_CALL):
                part = recipients[start : start + PER_CALL]
                await self._post(client, [self._issue(number, recipient) for recipient in part])
                told(len(part))

    async def errands(self, numbers: Sequence[int], recipients: Sequence[str]) -> None:
        """One transactional mail for each number, every third by SMTP."""
        async with self._client() as client:
            for number in numbers:
                recipient = recipients[int(chance(self.seed, "errand", number) * len(recipients))]
                letter = errand(self.seed, number)
                if number % 3 == 0:
                    await asyncio.to_thread(self._by_smtp, recipient, letter)
                else:
                    await self._post(client, [self._message(recipient, letter)])

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(auth=(self.key, self.secret), timeout=PATIENCE_S)

    def _issue(self, number: int, recipient: str) -> dict[str, object]:
        is_french = chance(self.seed, "language", recipient) < 0.6
        campaign = {"CustomCampaign": f"Atelier {number}", "DeduplicateCampaign": True}
        return self._message(recipient, newsletter(number, is_french=is_french)) | campaign

    def _message(self, recipient: str, letter: Letter) -> dict[str, object]:
        message: dict[str, object] = {"From": {"Email": self.author, "Name": "L'atelier"}, "To": [{"Email": recipient}], "Subject": letter.subject,
                                      "TextPart": letter.text}  # fmt: skip
        return message | {"HTMLPart": letter.html} if letter.html else message

    async def _post(self, client: httpx2.AsyncClient, messages: list[dict[str, object]]) -> None:
        answer = await client.post(f"{self.http}/v3.1/send", json={"Messages": messages})
        for result in answer.json().get("Messages", []):
            for taken in result.get("To", []):
                self.handed[taken["Email"]] += 1
            self.refused += [problem["ErrorMessage"] for problem in result.get("Errors", [])]
        if answer.status_code >= 400 and "Messages" not in answer.json():
            self.refused.append(f"{answer.status_code} {answer.text[:200]}")

    def _by_smtp(self, recipient: str, letter: Letter) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = f"L'atelier <{self.author}>", recipient, letter.subject
        mail.set_content(letter.text)
        if letter.html:
            mail.add_alternative(letter.html, subtype="html")
        host, _, port = self.smtp.rpartition(":")
        try:
            with smtplib.SMTP(host.strip("[]"), int(port), "demo.example", PATIENCE_S) as client:
                client.login(self.key, self.secret)
                client.send_message(mail, self.author, [recipient])
        except (smtplib.SMTPException, OSError) as error:
            self.refused.append(f"SMTP: {error}")
        else:
            self.handed[recipient] += 1
