"""The mail is made ready for one recipient, at the last moment.

Takes: a submission's content, a message, the signing keys, what is tracked. Gives: the octets and the envelope that go on the wire; the tokens behind links and
pixels, and who reads them. Owns: what is done once per submission (the plan) and what once per message. Never: I/O; never stores what it made.

    plan ─► compiling ─► texts ─► html_spans, links, unsubscribe      what is changed in a text
                      └► encoded, quoted ─► pieces                    how that stands in the mail, with slots
            letter ─► tokens                                          the slots filled for one recipient
    forms ─► personal ─► frames ─► template, html_walk                a newsletter: what its tags print, as slots of the same kind (own)
"""
