"""Microseconds per message for a 50 kB newsletter with 40 links: what `prepare` costs once per submission and once per recipient, beside other tools.

    python -m bench.prepare
"""

import base64
import email
import email.policy
import time
from collections.abc import Callable

import dkim
import lxml.html
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from selectolax.lexbor import LexborHTMLParser

from estafette.mail.dkim import RSA, SigningKey, sign
from estafette.mail.token import Keyring
from estafette.model import Claimed, Content, Options
from estafette.prepare.html_spans import read_html
from estafette.prepare.plan import Plan, make_plan, pending_signatures
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import Offer, Tracking

KEYRING = Keyring(1, {1: bytes(range(32))})
SENTENCE = "Le facteur porte les dépêches d'étape en étape, par tous les temps, jusqu'à la porte de celui qui les attend. "


def newsletter_html(size: int = 50_000, links: int = 40) -> str:
    """Tables, styles, a conditional button: what tools for newsletters write."""
    style = "<style>" + "".join(f".c{i} td{{padding:{i}px;color:#33{i:02}55}}\r\n" for i in range(60)) + "</style>"
    rows = []
    row_text = SENTENCE * max(1, (size - len(style.encode()) - links * 520) // links // len(SENTENCE.encode()))
    for i in range(links):
        rows.append(
            f'<tr class="c{i}"><td align="left" valign="top" style="font-family:Arial,sans-serif;font-size:14px;line-height:20px;padding:10px">\r\n'
            f'  <img src="https://images.example.com/newsletters/2026/11/picture-{i}.jpg" width="280" height="140" alt="Image &quot;{i}&quot;">\r\n'
            f"  <p>{row_text}</p>\r\n"
            f'  <a href="https://www.example.com/articles/2026/11/article-{i}?utm_source=newsletter&amp;utm_medium=email&amp;utm_content=link-{i}"'
            f' target="_blank" style="color:#1155cc">Lire la suite de l&#39;article</a>\r\n</td></tr>\r\n'
        )
    return (
        f'<!DOCTYPE html>\r\n<html lang="fr"><head><meta charset="utf-8"><title>Lettre</title>{style}</head>\r\n<body>\r\n<table role="presentation">\r\n'
        + "".join(rows)
        + "</table>\r\n</body>\r\n</html>\r\n"
    )


def newsletter(encoding: str, size: int = 50_000, links: int = 40) -> bytes:
    """The newsletter as a mail with two alternatives."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = "La Poste aux lettres <lettre@example.com>"
    message["To"] = "abonnes@example.com"
    message["Subject"] = "La lettre de novembre"
    message["Date"] = "Tue, 24 Nov 2026 08:00:00 +0000"
    message["Message-ID"] = "<1@example.com>"
    message.set_content("La lettre de novembre\r\n" + SENTENCE * 20, cte="quoted-printable")
    message.add_alternative(newsletter_html(size, links), subtype="html", cte=encoding)
    return message.as_bytes()


def content_of(raw: bytes, options: Options | None = None) -> Content:
    return Content(7_000_000_001, 42, "lettre@example.com", "lettre@example.com", options or Options(campaign="novembre"), 1_790_000_000_000_000, False, raw)


def claim_of(number: int, recipient: str = "jo@example.net") -> Claimed:
    return Claimed(7_000_000_001 + number, 7_000_000_001, 42, recipient, "example.net", "s", 1, 0, 0, 0, 2**60, 1)


def best_us(work: Callable[[], object], repeat: int) -> float:
    """The best of several runs, because the machine is shared: microseconds per call."""
    runs = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(repeat):
            work()
        runs.append((time.perf_counter() - start) / repeat * 1e6)
    return min(runs)


def copy_work(plan: Plan) -> Callable[[], object]:
    numbers = iter(range(10**9))

    def work() -> object:
        copy = plan.copy_for(claim_of(next(numbers)))
        fields = [pending.complete(b"s" * 256) for _, pending in pending_signatures(plan, 1_790_000_000, copy)]
        return b"".join([*fields, copy.head, copy.body])

    return work


def dom_round_trip(raw: bytes, pem: bytes) -> bytes:
    """What a program without span editing does per recipient: stdlib email, lxml, dkimpy."""
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    part = next(part for part in message.walk() if part.get_content_type() == "text/html")
    document = lxml.html.document_fromstring(part.get_content())
    for number, link in enumerate(document.iter("a")):
        link.set("href", f"https://links.example.com/c/{base64.urlsafe_b64encode(b'%070d' % number).decode()}")
    document.body.append(lxml.html.fragment_fromstring('<img src="https://links.example.com/o/token" width="1" height="1">'))
    part.set_content(lxml.html.tostring(document, encoding="unicode", doctype="<!DOCTYPE html>"), subtype="html", cte="8bit")
    made = message.as_bytes()
    return dkim.sign(made, b"s1", b"example.com", pem) + made


def main() -> None:
    private_key = generate_private_key(65537, 2048)
    key = SigningKey("example.com", "s1", RSA, private_key)
    tracking = Tracking("https://links.example.com", KEYRING, OpenMode.FULL, clicks=True, offer=Offer.LINK, unsubscribe_domain="bounces.example.com")
    text = newsletter_html()
    print(f"HTML of {len(text.encode()):,} octets with {len(read_html(text).links)} links\n")
    print(f"{'':44}{'once, us':>12}{'per recipient, us':>20}")
    for encoding in ("8bit", "quoted-printable", "base64"):
        content = content_of(newsletter(encoding))
        plan = make_plan(content, [key], tracking)
        assert plan.is_personal
        once = best_us(lambda content=content: make_plan(content, [key], tracking), 10)
        print(f"{'prepare, without the RSA operation, ' + encoding:44}{once:12.0f}{best_us(copy_work(plan), 200):20.0f}")
    content = content_of(newsletter("8bit"))
    print(f"{'the same mail, nothing tracked (8bit)':44}{best_us(lambda: make_plan(content, [key]), 20):12.0f}{0:20}")
    print(f"{'RSA-2048 operation':44}{'':12}{best_us(lambda: sign(key, b'x' * 2000), 50):20.0f}")
    print("\nother tools, per mail")
    print(f"{'finding the links: our spans':44}{'':12}{best_us(lambda: read_html(text), 20):20.0f}")
    print(f"{'finding the links: selectolax':44}{'':12}{best_us(lambda: [n.attributes for n in LexborHTMLParser(text).css('a[href]')], 20):20.0f}")
    assert isinstance(private_key, RSAPrivateKey)
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    print(f"{'dkimpy, the whole signature':44}{'':12}{best_us(lambda: dkim.sign(content.raw, b's1', b'example.com', pem), 5):20.0f}")
    print(f"{'email + lxml + dkimpy, the same mail':44}{'':12}{best_us(lambda: dom_round_trip(content.raw, pem), 2):20.0f}")


if __name__ == "__main__":
    main()
