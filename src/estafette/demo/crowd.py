"""Whom the demo's customer writes to, and what: a newsletter in two languages and the usual transactional mail. Pure; everything follows from the seed."""

from dataclasses import dataclass
from typing import Final

from estafette.demo.providers import PROVIDERS, chance

FIRST: Final = ("alice", "bruno", "chloe", "david", "emma", "felix", "gaelle", "hugo", "ines", "jules", "karim", "lea", "marc", "nora", "oscar", "paul",
                "quentin", "rosa", "sami", "theo", "ugo", "vera", "willy", "xenia", "yves", "zoe")  # fmt: skip
LAST: Final = ("martin", "bernard", "thomas", "petit", "robert", "richard", "durand", "dubois", "moreau", "laurent", "simon", "michel", "smith", "jones",
               "taylor", "brown", "wilson", "evans", "walker", "wright", "meyer", "rossi", "garcia", "silva", "novak", "larsen")  # fmt: skip
SHARES: Final = {"gmail.test": 30, "outlook.test": 12, "hotmail.test": 6, "yahoo.test": 8, "orange.test": 10, "wanadoo.test": 3, "free.test": 7,
                 "laposte.test": 5, "icloud.test": 6, "gmx.test": 3, "corp.test": 6, "uni.test": 3, "old.test": 2, "slow.test": 1, "dead.test": 1}  # fmt: skip
"""Domain → how many of about a hundred subscribers have their mailbox there."""
EVERY_STATUS: Final = ("nobody@gmail.test", "full@orange.test", "grey@free.test", "spam@gmx.test", "late@laposte.test", "complain@outlook.test",
                       "away@corp.test", "open@gmail.test", "click@yahoo.test", "unsub@outlook.test", "scan@corp.test", "proxy@icloud.test")  # fmt: skip
"""Subscribers whose fate is certain, so that every status is seen whatever the seed."""

assert set(SHARES) <= {domain for provider in PROVIDERS for domain in provider.domains}


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail as the customer hands it over."""

    subject: str
    text: str
    html: str = ""


def subscribers(seed: int, count: int, *, without: frozenset[str] = frozenset()) -> list[str]:
    """`count` addresses: those of `EVERY_STATUS` first, then people by `SHARES`. `without` are domains that are left out."""
    domains = [domain for domain, share in SHARES.items() for _ in range(share) if domain not in without]
    found = [address for address in EVERY_STATUS if address.rpartition("@")[2] not in without][:count]
    for number in range(count - len(found)):
        first = FIRST[int(chance(seed, "first", number) * len(FIRST))]
        last = LAST[int(chance(seed, "last", number) * len(LAST))]
        domain = domains[int(chance(seed, "domain", number) * len(domains))]
        found.append(f"{first}.{last}{number}@{domain}")
    return found


def newsletter(number: int, *, is_french: bool) -> Letter:
    """The issue of that number."""
    if is_french:
        subject = f"La lettre de l'atelier n° {number} : l'automne en trois idées"
        title, lead, more = "L'automne en trois idées", "Du bois, de la laine, une lampe : ce que nous avons aimé faire ce mois-ci.", "Lire la suite"
        rows = ("Un banc pour l'entrée", "Le plaid qui gratte enfin moins", "Une lampe qui tient dans la poche")
    else:
        subject = f"The workshop letter no. {number}: autumn in three ideas"
        title, lead, more = "Autumn in three ideas", "Wood, wool, a lamp: what we liked to make this month.", "Read more"
        rows = ("A bench for the hall", "A blanket that does not itch", "A lamp for your pocket")
    language = "fr" if is_french else "en"
    cells = "".join(
        f'<tr><td style="padding:12px 24px"><h2 style="font:600 17px sans-serif;margin:0 0 4px">{row}</h2>'
        f'<a href="https://atelier.example/{language}/{number}/{place}" style="color:#1d4ed8">{more}</a></td></tr>'
        for place, row in enumerate(rows, 1)
    )
    html = (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title></head><body style="margin:0;background:#f4f4f5">'
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center"><table role="presentation" width="560" '
        'style="background:#ffffff;margin:24px 0"><tr><td style="padding:24px"><h1 style="font:700 24px sans-serif;margin:0">'
        f'{title}</h1><p style="font:15px sans-serif;color:#3f3f46">{lead}</p></td></tr>{cells}</table></td></tr></table></body></html>'
    )
    return Letter(subject, f"{title}\n\n{lead}\n\n" + "\n".join(f"- {row}" for row in rows) + "\n", html)


def errand(seed: int, number: int) -> Letter:
    """A transactional mail: somebody ordered, forgot a password, is sent an invoice."""
    code = f"{int(chance(seed, 'code', number) * 900_000) + 100_000}"
    kinds = (
        Letter(f"Votre code de connexion : {code}", f"Bonjour,\n\nvotre code est {code}. Il vaut dix minutes.\n"),
        Letter(f"Your order {code} is on its way", f"Hello,\n\nyour order {code} left our workshop this morning.\n",
               f'<p>Hello,</p><p>your order {code} left our workshop this morning.</p><p><a href="https://atelier.example/orders/{code}">Follow it</a></p>'),
        Letter(f"Facture {code}", f"Bonjour,\n\nvotre facture {code} est disponible.\n",
               f'<p>Bonjour,</p><p>votre facture {code} est disponible.</p><p><a href="https://atelier.example/factures/{code}">La voir</a></p>'),
        Letter("Reset your password", "Hello,\n\nsomebody asked to reset your password. If it was not you, do nothing.\n"),
    )  # fmt: skip
    return kinds[int(chance(seed, "kind", number) * len(kinds))]
