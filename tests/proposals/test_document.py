from cnnctl.config.parsing import parse
from cnnctl.proposals.document import LONGEST, Setting, counted, document


def test_sections_and_reasons_are_readable_and_parse() -> None:
    settings = [
        Setting("data.name", "image_folder"),
        Setting("data.path", "a: b #c", "why"),
        Setting("model", {"zoo": "resnet18", "width": 8}, "small"),
        Setting("train.epochs", 3),
    ]
    text = document(["title"], settings)
    assert text == (
        "# title\n\ndata:\n  name: image_folder\n  path: 'a: b #c'  # why\n"
        "model: {zoo: resnet18, width: 8}  # small\ntrain:\n  epochs: 3\n"
    )


def test_a_reason_with_line_breaks_stays_a_comment() -> None:
    text = document([], [Setting("name", "a", "x\nmodel: evil")])
    assert text == "\nname: a  # x\\nmodel: evil\n"


def test_a_long_line_has_its_reason_above() -> None:
    text = document([], [Setting("data.path", "p" * 90, "a reason")])
    assert text.splitlines()[2:] == ["  # a reason", f"  path: {'p' * 90}"]
    assert max(map(len, text.splitlines())) <= LONGEST


def test_long_mappings_and_reasons_take_several_lines() -> None:
    heads = {name * 20: {"layers": [{"linear": "classes"}]} for name in "abc"}
    text = document([], [Setting("model.heads", heads, "a reason " * 20)])
    assert max(map(len, text.splitlines())) <= LONGEST
    model = parse(text, origin="a.yaml").child("model")
    assert model
    assert model.plain() == {"heads": heads}


def test_any_name_is_read_back() -> None:
    names = [
        "yes",
        "12",
        "1e3",
        "~",
        "ä 猫",
        "a\nb",
        "'\"",
        "x" * 300,
        " blank ",
        "- a",
        "#1",
        "\u2028",
    ]
    for name in names:
        text = document([], [Setting("data.path", name, "why")])
        data = parse(text, origin="a.yaml").child("data")
        assert data
        path = data.child("path")
        assert path
        assert path.value == name


def test_one_is_singular() -> None:
    assert [counted(n, "picture") for n in (0, 1, 2000)] == [
        "0 pictures",
        "1 picture",
        "2,000 pictures",
    ]
