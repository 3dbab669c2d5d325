"""The page in a real browser; skipped where there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.conftest import environment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium"),
]
LENET = Path(__file__).parents[2] / "configs" / "lenet.yaml"
HOSTILE = '"<img src=x onerror=""document.title=\'taken\'"">"'
"""A class name that would be a script if it was not escaped, as a cell of CSV."""
THREE = [
    *[(0.30, 0.25), (0.40, 0.18), (0.55, 0.17), (0.66, 0.25), (0.66, 0.36), (0.55, 0.46)],
    *[(0.45, 0.48), (0.58, 0.50), (0.68, 0.60), (0.66, 0.74), (0.52, 0.83), (0.38, 0.82)],
    (0.28, 0.74),
]
"""The stroke of a 3, in parts of the drawing area."""


def cnnctl(*words: str | Path, folder: Path) -> None:
    command = [sys.executable, "-m", "cnnctl", *map(str, words)]
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LeNet trained on digits, and two networks for tables and vectors."""
    folder = tmp_path_factory.mktemp("page")
    cnnctl("train", LENET, "train.epochs=12", folder=folder)
    cells = [f"{row / 60},{('red', 'grün')[row % 2]}," for row in range(120)]
    rows = [cell + ("calm" if row % 2 else HOSTILE) for row, cell in enumerate(cells)]
    (folder / "moods.csv").write_text("\n".join(["size,colour,mood", *rows]), encoding="utf-8")
    cnnctl("init", "moods.csv", folder=folder)
    cnnctl("train", "moods.yaml", folder=folder)
    cnnctl("train", "mlp-spirals", "train.epochs=1", folder=folder)
    return folder / "runs"


@contextmanager
def served(*runs: Path, options: tuple[str, ...] = ()) -> Iterator[str]:
    """The address of a service of these runs."""
    command = [sys.executable, "-m", "cnnctl", "serve", *map(str, runs), "--port", "0", *options]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"http://[\d.]+:\d+", line):
                    break
            assert found, "the service says where it is"
            yield found[0]
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    with served(runs / "lenet", runs / "moods", runs / "mlp-spirals") as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, of which no script fails and which loads nothing from elsewhere."""
    context = browser.new_context()
    page = context.new_page()
    errors, loaded = list[str](), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(address)
    page.wait_for_selector(".answer")
    yield page
    assert not errors
    assert len(loaded) > 3
    assert all(url.startswith((address, "blob:", "data:")) for url in loaded)
    context.close()


def draw(page: Page) -> None:
    box = page.locator("canvas").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    page.wait_for_selector("#outputs[aria-busy=false]")


def wait_for_status(page: Page, text: str) -> None:
    page.wait_for_function(
        "text => document.getElementById('status').textContent.match(text)", arg=text
    )


def fault(page: Page) -> str:
    page.wait_for_selector("#fault:not([hidden])")
    return page.inner_text("#fault")


def test_a_three_drawn_with_the_mouse_is_read(page: Page) -> None:
    draw(page)
    wait_for_status(page, "lenet: 3, ")
    assert page.inner_text(".answer .is-chosen .name") == "3"
    assert page.locator(".paper-colour").input_value() == "black"
    assert len(page.query_selector_all(".answer .bars li")) == 10
    page.get_by_role("button", name="Clear").click()
    page.wait_for_selector("text=No input yet.")


def test_what_it_looked_at_is_shown_on_demand(page: Page) -> None:
    draw(page)
    wait_for_status(page, "lenet: 3, ")
    page.get_by_role("button", name="What did it look at?").click()
    page.wait_for_selector("figure.map img:visible")
    assert page.get_attribute("figure.map img", "alt") == "Where lenet found 3, as a heat map"
    assert page.eval_on_selector("figure.map img", "image => image.naturalWidth") >= 32


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    page.keyboard.press("Space")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    wait_for_status(page, "lenet: ")
    page.keyboard.press("Delete")
    page.wait_for_selector("text=No input yet.")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == "Picture for lenet"
    page.keyboard.press("ArrowRight")
    wait_for_status(page, "moods: ")


def drop(page: Page, kind: str, content: bytes, name: str) -> None:
    """Drop a file on the page, or paste it."""
    script = """([kind, bytes, name]) => {
        const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(bytes)], name));
        const options = { bubbles: true, cancelable: true };
        const event = kind === "drop" ? new DragEvent(kind, { ...options, dataTransfer: files })
            : new ClipboardEvent(kind, { ...options, clipboardData: files });
        document.body.dispatchEvent(event);
    }"""
    page.evaluate(script, [kind, list(content), name])


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_that_is_dropped_or_pasted_is_answered(
    page: Page, tmp_path: Path, kind: str
) -> None:
    eight = tmp_path / "eight.png"
    pixels = load_digits().images[8] * 15  # of the dataset, a certain answer
    Image.fromarray(pixels.astype("uint8")).save(eight)
    drop(page, kind, eight.read_bytes(), "eight.png")
    wait_for_status(page, "lenet: 8, ")
    assert page.get_attribute("img.shown", "alt") == "eight.png"


def test_a_file_that_is_no_picture_is_refused_and_the_next_one_answered(page: Page) -> None:
    drop(page, "drop", b"\x89PNG and nothing else", "bäd.png")
    assert "bäd.png: is not a picture" in fault(page)
    page.get_by_role("tab", name="Drawing").click()
    draw(page)
    wait_for_status(page, "lenet: 3, ")
    assert not page.is_visible("#fault")


def test_a_row_is_filled_in_and_its_names_stay_text(page: Page) -> None:
    page.get_by_role("tab", name="Row").click()
    page.get_by_label("colour").select_option("grün")
    wait_for_status(page, "moods: calm, ")
    page.get_by_label("colour").select_option("red")
    wait_for_status(page, "moods: <img src=x")
    page.get_by_label("size").fill("")
    wait_for_status(page, "moods: ")
    assert "moods" in page.title()  # and not what the class name would make of it


def test_numbers_are_typed_and_what_is_wrong_is_said(page: Page) -> None:
    page.get_by_role("tab", name="Numbers").click()
    page.get_by_role("textbox").fill("0.5, one")
    assert fault(page) == "one is not a number"
    page.get_by_role("textbox").fill("0.5")
    page.wait_for_function("document.getElementById('fault').textContent === '1 of 2 numbers'")
    page.get_by_role("textbox").fill("0.5 -1e-1")
    wait_for_status(page, "mlp-spirals: ")


def test_everything_that_can_be_used_has_a_name(page: Page) -> None:
    nameless = """() => [...document.querySelectorAll("button, input, select, textarea, canvas")]
        .filter(each => each.checkVisibility())
        .filter(each => !(each.ariaLabel || each.labels?.length || each.textContent.trim()))
        .map(each => each.outerHTML)"""
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate(nameless) == []


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, by WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(browser: Browser, address: str, scheme: str) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    page.goto(address)
    read = "name => getComputedStyle(document.documentElement).getPropertyValue(name)"
    for ground in ("--page", "--card"):
        for ink in ("--ink", "--quiet", "--fault", "--bar"):
            found = sorted(luminance(page.evaluate(read, name)) for name in (ground, ink))
            assert (found[1] + 0.05) / (found[0] + 0.05) >= 4.5, f"{ink} on {ground}"
    is_dark = luminance(page.evaluate(read, "--page")) < 0.5
    assert is_dark == (scheme == "dark")
    context.close()


def test_a_token_is_asked_for(browser: Browser, runs: Path) -> None:
    with served(runs / "mlp-spirals", options=("--token", "sesame-oeffne-dich")) as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_label("This service asks for its token.").fill("wrong")
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
        assert page.is_visible("#token")
        page.get_by_label("This service asks for its token.").fill("sesame-oeffne-dich")
        page.keyboard.press("Enter")
        page.wait_for_selector(".answer")
        assert not page.is_visible("#token")
        page.close()


def test_models_of_one_kind_answer_side_by_side(browser: Browser, runs: Path) -> None:
    with served(runs / "lenet", runs / "lenet") as address:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(".answer")
        draw(page)
        wait_for_status(page, "lenet: 3, .*lenet-2: 3, ")
        assert [each.inner_text() for each in page.locator("h3").all()] == ["lenet", "lenet-2"]
        page.close()
