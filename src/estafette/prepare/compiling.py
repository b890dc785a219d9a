"""Compiles a mail: reads its parts and header, decides what is changed, and encodes everything that all recipients share. Pure.

Parts that are signed, encrypted, enclosed mails, attachments or anything but text are not read at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from estafette.mail.dkim import SignedFields, choose_fields, hashed
from estafette.mail.header import Header, make_raw_field, read_header
from estafette.mail.mime import MimeError, Part, find_text_parts, read_parts
from estafette.mail.mime_edit import KNOWN_ENCODINGS, Edit, decode, splice, text_to_edit
from estafette.mail.words import find_codec
from estafette.model import Content
from estafette.prepare import tokens
from estafette.prepare.encoded import encode_items
from estafette.prepare.letter import FIRST_SEAL, MAILTO, Letter
from estafette.prepare.links import Rules
from estafette.prepare.own import Own
from estafette.prepare.pieces import Item, Place, Slot, Template, canonical_pieces, items_of, plain, template_of
from estafette.prepare.quoted import Quoted, edit_quoted, read_quoted
from estafette.prepare.texts import Work, edit_html, edit_text
from estafette.prepare.tokens import OpenMode, Sealer, campaign_mark
from estafette.prepare.tracking import Consent, LeftOff, Offer, Tracking
from estafette.prepare.unsubscribe import find_tags, submitters_addresses

MAX_TEXT_OCTETS: Final = 1_000_000
"""The longest part that is read, as it stands in the mail: ten times what Gmail shows of one, and below a second for the worst that can be written."""
_STATELESS: Final = ("utf-8", "ascii", "iso8859", "cp125")  # charsets in which pieces can be encoded one by one
_NOT_ASCII: Final = ("utf-16", "utf-32", "utf-7", "utf-8-sig")  # charsets in which ASCII is not ASCII, or begins with a mark
_TOKEN_MARK, _ADDRESS_MARK = b"<<token>>", b"<<address>>"  # stand for the values in a field that is being made; no address holds them


@dataclass(frozen=True, slots=True)
class _Change:
    """What stands in the mail from `start` to `end` instead."""

    start: int
    end: int
    items: list[bytes | Slot]


def compile_letter(content: Content, tracking: Tracking, consent: Consent, is_signed: bool, own: Own | None = None) -> Letter:
    """See the module. `tracking` is what `wanted` said for this submission; `is_signed`: we have a key for the author's domain; `own`: the words in the mail
    that stand for what recipients bring.

    Raises HeaderError for a mail that `accept` would have refused.
    """
    raw = content.raw
    header = read_header(raw)
    opens = tracking.opens if consent.opens else OpenMode.OFF
    ours = f"{tracking.url}/{tokens.PATHS[tokens.CLICK]}/"
    rules = Rules(tracking.clicks and consent.clicks, tracking.shown_addresses, tracking.url_tags, submitters_addresses(header), ours)
    sealer = Sealer(tracking.keyring, content.account_id, content.options.campaign)
    work = Work(content, tracking, sealer, opens, rules, own=own)
    changes: list[_Change] = []
    head_edits: list[Edit] = []
    is_theirs = not is_signed and any(header.first(name) for name in ("DKIM-Signature", "ARC-Message-Signature"))
    if is_theirs and work.asks_for_anything:
        work.left_off.append(LeftOff.SUBMITTER_SIGNED)
    elif work.asks_for_anything:
        changes = _changes(work, raw, header, head_edits)
    kept = splice(raw[: header.end], head_edits)
    fields, numbers = (b"", []) if is_theirs else _added_fields(work, header)
    if fields and kept and not kept.endswith(b"\r\n"):
        kept += b"\r\n"
    final = read_header(kept + fields) if head_edits or fields else header
    signed = choose_fields(final) if is_signed else SignedFields(b"", b"")
    field_at = (b"\r\n" + signed.canonical).find(b"\r\nlist-unsubscribe:") if numbers else 0
    body = template_of(_body(raw, header.body_start, changes))
    canonical = canonical_pieces(body.pieces) if is_signed else ()
    if canonical == body.pieces:
        canonical = body.pieces
    return Letter(
        head=_with_slots(kept + fields + raw[header.end : header.body_start], len(kept), numbers, own, is_canonical=False),
        body=body,
        seals=tuple(work.seals),
        left_off=tuple(dict.fromkeys(work.left_off)),
        is_changed=bool(changes or fields),
        is_8bit=not (kept.isascii() and all(piece.isascii() for piece in body.pieces)),
        names=signed.names,
        signed_head=_with_slots(signed.canonical, max(field_at, 0), numbers if is_signed else [], own, is_canonical=True),
        canonical=canonical,
        numbers=frozenset([*numbers, *work.numbers]),
        keyring=tracking.keyring,
        account_id=content.account_id,
        list_id=tracking.list_id,
        hashed=hashed(canonical[0] if canonical else b""),
    )


def _with_slots(flat: bytes, start: int, numbers: Sequence[int], own: Own | None, *, is_canonical: bool) -> Template:
    """Octets with a slot in the place of each mark of ours, looked for from `start`, and of each word that stands for what a recipient brings."""
    places = [] if own is None else [(m.start(), m.end(), own.in_head(int(m[1]), is_canonical)) for m in own.octets.finditer(flat)]
    for number in numbers:
        mark = _ADDRESS_MARK if number == MAILTO else _TOKEN_MARK
        start = flat.index(mark, start) + len(mark)
        places.append((start - len(mark), start, number))
    items: list[bytes | Slot] = []
    kept_from = 0
    for at, end, number in sorted(places):
        items += (flat[kept_from:at], plain(number))
        kept_from = end
    return template_of([*items, flat[kept_from:]])


def _added_fields(work: Work, header: Header) -> tuple[bytes, list[int]]:
    """Our fields, with marks for the values, and the numbers of these. The submitter's own fields are kept, and ours left off then."""
    tracking, fields = work.tracking, b""
    numbers: list[int] = []
    if tracking.sender_id and header.first("Feedback-ID") is None:
        campaign = campaign_mark(work.content.options.campaign)
        stream = "bulk" if tracking.offer >= Offer.HEADER else "mail"
        fields = make_raw_field("Feedback-ID", f"{f'{campaign:08x}:' if campaign else ''}{work.content.account_id}:{stream}:{tracking.sender_id}")
    is_offered = tracking.offer >= Offer.HEADER or (tracking.offer is Offer.TAGS and work.has_offer)
    if not is_offered or header.first("List-Unsubscribe") is not None:
        return fields, numbers
    language = tracking.language[:2].lower()
    address, number = work.unsubscribing(language)
    assert isinstance(address, str) and isinstance(number, int)
    numbers.append(number)
    fields += b"List-Unsubscribe: <" + address.encode("ascii") + _TOKEN_MARK + b">"
    if tracking.unsubscribe_domain:
        numbers.append(MAILTO)
        fields += b",\r\n\t<mailto:u-" + _ADDRESS_MARK + f"@{tracking.unsubscribe_domain}?subject=unsubscribe>".encode("ascii")
    fields += b"\r\n"
    if header.first("List-Unsubscribe-Post") is None:
        fields += b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"  # RFC 8058 3.1, verbatim
    return fields, numbers


def _body(raw: bytes, start: int, changes: Sequence[_Change]) -> list[bytes | Slot]:
    items: list[bytes | Slot] = []
    for change in sorted(changes, key=lambda c: (c.start, c.end)):
        items += (raw[start : change.start], *change.items)
        start = change.end
    return [*items, raw[start:]]


# -- parts ------------------------------------------------------------------------------------------------------------------


def _changes(work: Work, raw: bytes, header: Header, head_edits: list[Edit]) -> list[_Change]:
    """What is changed in the text parts; what must be in the mail's own header comes to `head_edits`."""
    try:
        root = read_parts(raw)
    except MimeError:
        root = None
    if root is None or root.body_start != header.body_start:
        work.left_off.append(LeftOff.MALFORMED)
        return []
    found: list[_Text] = []
    for part in find_text_parts(root):
        if part.body_start < part.end and _is_wanted(work, raw, part) and (text := _text_of(work, raw, part)) is not None:
            found.append(text)
    changes: list[_Change] = []
    for kind in ("text/html", "text/plain"):  # in this order: the numbers of links begin in the HTML
        of_kind = [one for one in found if one.part.content_type == kind]
        needs_footer = work.tracking.offer is Offer.LINK and not any(tag.is_way_out for one in of_kind for tag in find_tags(one.text))
        for one in of_kind:
            is_last = one is of_kind[-1]
            if kind == "text/html":
                places = edit_html(work, one.text, is_last=is_last, wants_footer=needs_footer and is_last)
            else:
                places = edit_text(work, one.text, wants_footer=needs_footer and is_last)
            changes += _part_changes(work, raw, one, places, head_edits) if places else []
    if work.asks_for_tracking and not work.left_off and not any(one.part.content_type == "text/html" for one in found):
        work.left_off.append(LeftOff.PROTECTED if any(part.is_protected for part in root.walk()) else LeftOff.NO_HTML)
    return changes


def _is_wanted(work: Work, raw: bytes, part: Part) -> bool:
    """Whether a part may have to be changed: told without decoding it where possible."""
    if work.own is not None:
        return True
    asks_for_links = work.rules.clicks or bool(work.rules.url_tags)
    if work.tracking.offer is Offer.LINK or (asks_for_links or work.opens if part.content_type == "text/html" else asks_for_links and work.tracking.text_links):
        return True
    if work.tracking.offer is Offer.NONE:
        return False
    if part.encoding == "base64":
        return True
    body = raw[part.body_start : part.end]
    body = body.replace(b"=\r\n", b"") if part.encoding == "quoted-printable" else body
    return b"UNSUB" in body or b"mj:unsub" in body or b"PREFERENCES" in body or b"mj:preferences" in body or b"EMAIL" in body


@dataclass(frozen=True, slots=True)
class _Text:
    """A part that may be changed."""

    part: Part
    text: str
    codec: str
    quoted: Quoted | None  # set when it can be edited in place


def _text_of(work: Work, raw: bytes, part: Part) -> _Text | None:
    """The text of a part; None, and the reason noted, when it has to be left alone."""
    if part.end - part.body_start > MAX_TEXT_OCTETS:
        work.left_off.append(LeftOff.TOO_LARGE)
        return None
    if part.encoding not in KNOWN_ENCODINGS:
        work.left_off.append(LeftOff.ENCODING)
        return None
    codec = find_codec(part.charset) or "ascii"  # as `text_to_edit` does: what is no ASCII is carried as lone surrogates
    is_stateless = codec.startswith(_STATELESS) and not codec.startswith(_NOT_ASCII)
    if is_stateless and part.encoding == "quoted-printable" and (quoted := read_quoted(raw[part.body_start : part.end])) is not None:
        return _Text(part, quoted.octets.decode(codec, "surrogateescape"), codec, quoted)
    text = None if codec.replace("_", "-").startswith(_NOT_ASCII) else text_to_edit(raw, part)
    if text is not None and not is_stateless and text.encode(codec, "surrogateescape") != decode(raw, part):
        text = None  # another spelling of the same text would come out: ISO-2022-JP has several
    if text is None:
        work.left_off.append(LeftOff.CHARSET)
        return None
    return _Text(part, text, codec, None)


def _part_changes(work: Work, raw: bytes, one: _Text, places: Sequence[Place], head_edits: list[Edit]) -> list[_Change]:
    part = one.part
    if one.quoted is not None:
        encoded, encoding = edit_quoted(one.quoted, one.text, places, one.codec, work.sizes), part.encoding
    else:
        items = items_of(one.text, places)
        if not one.codec.startswith(_STATELESS) and not _can_be_cut(items, one.codec):
            work.left_off.append(LeftOff.CHARSET)
            return []
        encoded, encoding = encode_items(items, part.charset, one.codec, part.encoding, work.sizes)
    changes: list[_Change] = []
    if encoding != part.encoding:
        if part.header.end == part.body_start:
            work.left_off.append(LeftOff.ENCODING)  # no empty line after its header: nowhere to say so
            return []
        edit = _encoding_edit(part, encoding)
        if part.start == 0:
            head_edits.append(edit)
        else:
            changes.append(_Change(edit.start, edit.end, [edit.replacement]))
    if encoding == "base64" and part.start == 0:
        encoded.append(b"\r\n")  # that of another part belongs to the delimiter after it
    work.numbers.update(item for _, _, inside in places for item in inside if isinstance(item, int) and 0 <= item < FIRST_SEAL)
    return [*changes, _Change(part.body_start, part.end, encoded)]


def _encoding_edit(part: Part, encoding: str) -> Edit:
    """Another Content-Transfer-Encoding in the header of a part."""
    named = part.header.first("Content-Transfer-Encoding")
    line = make_raw_field("Content-Transfer-Encoding", encoding)
    if named is not None:
        return Edit(named.start, named.end, line)
    if part.start == 0 and part.header.first("MIME-Version") is None:
        line = b"MIME-Version: 1.0\r\n" + line
    return Edit(part.header.end, part.header.end, line)


def _can_be_cut(items: Sequence[Item], codec: str) -> bool:
    """Whether constants that are encoded one by one are read as one text again."""
    octets = b"".join(item.encode(codec, "surrogateescape") if isinstance(item, str) else b"x" for item in items)
    return octets.decode(codec, "surrogateescape") == "".join(item if isinstance(item, str) else "x" for item in items)
