"""Slips of the finger: words as people mistype them on a QWERTY keyboard."""

from collections.abc import Collection
from random import Random

ROWS = ("1234567890-", "qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours(key: str) -> str:
    """The keys around one; an underscore is a shifted dash."""
    key = key.lower().replace("_", "-")
    places = [(r, row.index(key)) for r, row in enumerate(ROWS) if key in row]
    around = (
        ROWS[r + up][c + aside]
        for r, c in places
        for up in (-1, 0, 1)
        for aside in (-1, 0, 1)
        if (up or aside) and 0 <= r + up < len(ROWS) and 0 <= c + aside < len(ROWS[r + up])
    )
    return "".join(around) or "x"


def _slip(word: str, random: Random) -> str:
    at = random.randrange(len(word))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    slips = [
        before + random.choice(_neighbours(letter) + letter) + letter + after,  # insertion
        before + after,  # deletion
        before + random.choice(_neighbours(letter)) + after,  # substitution
        before + after[:1] + letter + after[1:],  # transposition
    ]
    return random.choice(slips)


def mistyped(word: str, random: Random, *, slips: int, valid: Collection[str]) -> str:
    """The word with that many slips in it; one that is another valid word does not count."""
    while True:
        found = word
        for _ in range(slips):
            found = _slip(found, random) if found else ""
        if found and found[0].isalpha() and found != word and found not in valid:
            return found
