"""Many expressions asked of one short text at once: whichever of them needs a word that the text does not have is not tried.

    spam = any_of(["spam", "junk mail", "(?:un|non-)solicited"])
    spam.search("this is junk mail")          → a match

Nearly all of the rules' expressions contain plain words. Looking for these first (`in` on a string) makes a reply five to ten times cheaper to judge.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MIN_NEEDLE: Final = 3
_OPTIONAL: Final = frozenset("?*{")
_SPECIAL: Final = frozenset(".^$[]()|+?*{}\\")


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Alternatives, each with the plain text that every match of it contains ("" when it has none)."""

    pattern: str  # all of it as one expression, for whoever reads or checks it
    alternatives: tuple[tuple[str, re.Pattern[str]], ...]

    def search(self, text: str) -> re.Match[str] | None:
        """A match of the first alternative that has one; not always the leftmost of the text."""
        for needle, expression in self.alternatives:
            if needle in text and (found := expression.search(text)) is not None:
                return found
        return None


def any_of(expressions: Iterable[str]) -> AnyOf:
    """Compile expressions that are asked as alternatives. Raises re.error."""
    given = tuple(expressions)
    pieces = [piece for expression in given for piece in top_level(expression)]
    return AnyOf("|".join(given), tuple((needle_of(piece), re.compile(piece)) for piece in pieces))


def top_level(expression: str) -> list[str]:
    """The alternatives of an expression, cut at each | outside of groups and classes."""
    pieces, depth, in_class, start, position = [], 0, False, 0, 0
    while position < len(expression):
        char = expression[position]
        if char == "\\":
            position += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            position += 1 if expression[position + 1 : position + 2] == "]" else 2 if expression[position + 1 : position + 3] == "^]" else 0
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and depth == 0:
            pieces.append(expression[start:position])
            start = position + 1
        position += 1
    return [*pieces, expression[start:]]


def needle_of(expression: str) -> str:
    """The longest run of plain characters outside of groups that every match contains; "" for none worth looking for."""
    runs: list[str] = []
    run: list[str] = []
    depth = position = 0
    in_class = False
    while position < len(expression):
        char = expression[position]
        if char == "\\":
            literal = expression[position + 1 : position + 2]
            position += 1
            if literal.isalnum() or in_class or depth:  # \b, \d, \w or not ours to count
                literal = ""
        elif in_class:
            in_class, literal = char != "]", ""
        elif char == "[":
            in_class, literal = True, ""
            position += 1 if expression[position + 1 : position + 2] == "]" else 2 if expression[position + 1 : position + 3] == "^]" else 0
        elif char in "()":
            depth += 1 if char == "(" else -1
            literal = ""
        else:
            literal = char if depth == 0 and char not in _SPECIAL else ""
        following = expression[position + 1 : position + 2]
        if char == "{" and not in_class:  # a repetition: its numbers are no text
            position = expression.find("}", position)
        if literal and following not in _OPTIONAL:
            run.append(literal)
            if following == "+":
                runs, run = [*runs, "".join(run)], []
        else:
            runs, run = [*runs, "".join(run)], []
        position += 1
    needle = max([*runs, "".join(run)], key=len)
    return needle if len(needle) >= MIN_NEEDLE else ""
