"""What the font of a sheet can draw."""

from __future__ import annotations

import pytest

from cnnctl.drawing.lettering import FONT, is_drawable, shortened


@pytest.mark.parametrize("text", ["", "cat", "1 and 2", "T-shirt/top (50%)", "…"])
def test_what_the_font_has_is_drawable(text: str) -> None:
    assert is_drawable(text)


@pytest.mark.parametrize("text", ["猫", "cat 猫", "кот", "\U0001f408", "a\nb", "\x00"])
def test_what_the_font_lacks_is_not(text: str) -> None:
    assert not is_drawable(text)


def test_a_text_is_cut_to_the_width() -> None:
    assert shortened("cat", width=100) == "cat"
    text = shortened("golden retriever", width=60)
    assert text.endswith("…")
    assert "golden retriever".startswith(text[:-1])
    assert FONT.getlength(text) <= 60 < FONT.getlength(text[:-1] + "en…")
    assert shortened("cat", width=0) == "…"
