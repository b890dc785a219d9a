"""What stops a newsletter, and what is only said of it."""

from msgspec.structs import replace

from estafette.newsletters.checks import Surroundings, findings, stops
from estafette.prepare.personal import Person, Source

GOOD = Source(author="news@shop.example", subject="Autumn", html='<a href="https://shop.example/">Shop</a> [[UNSUB_LINK_EN]]')
ABOUT = Surroundings(True, True, "all", 3, properties=frozenset({"city"}), samples=(Person("a@b.example", "A", {"city": "Lyon"}), Person("c@d.example")))


def codes(source: Source, about: Surroundings = ABOUT) -> list[str]:
    return [one.code for one in findings(source, about)]


def test_a_good_one_may_go() -> None:
    assert codes(GOOD) == []


def test_what_stops_it() -> None:
    bare = Source()
    assert codes(bare, Surroundings(False, False, None)) == ["author_missing", "list_missing", "subject_missing", "texts_missing"]
    assert codes(GOOD, Surroundings(False, True, "all", 0, "no such property")) == ["author_not_verified", "list_empty", "segment_broken"]
    broken = findings(replace(GOOD, html="{% if x %}"), ABOUT)
    assert [one.code for one in broken] == ["template_broken"] and "line 1" in str(broken[0].values["problem"]) and stops(broken)


def test_texts_are_tried_on_real_people() -> None:
    (found,) = [one for one in findings(replace(GOOD, html=GOOD.html + "{{data:city}}"), ABOUT) if one.code == "not_fillable"]
    assert (found.values["people"], found.values["of"]) == (1, 2) and "city" in str(found.values["problem"])


def test_names_that_nobody_has_are_listed() -> None:
    texts = "{{data:city:'x'}} data:nothing {{ data:town:'x' }} {% if var:vip %}{% endif %} [[data:first-name:\"y\"]] {{data:town:'z'}}"
    (found,) = [one for one in findings(replace(GOOD, html=GOOD.html + texts), ABOUT) if one.code == "names_unknown"]
    assert (found.values, found.weight) == ({"names": "data:town, var:vip, data:first-name"}, "warns")


def test_what_deserves_a_second_look() -> None:
    html = '<img src="x"><script>1</script><a href="https://bit.ly/x">a</a><a href="#">b</a>' + "x" * 110_000
    found = findings(replace(GOOD, html=html, subject="BUY NOW BUY NOW"), replace_about(has_key=False))
    assert {one.code for one in found} == {"not_signed", "subject_shouts", "html_long", "images_without_text", "script", "link_empty", "link_shortened",
                                           "unsubscribe_inserted"}  # fmt: skip
    assert not stops(found)


def replace_about(**changes: bool) -> Surroundings:
    return Surroundings(**({"may_write": True, "has_key": True, "list_name": "all", "subscribers": 3} | changes))  # type: ignore[arg-type]
