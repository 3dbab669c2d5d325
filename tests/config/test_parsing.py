from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.config.nodes import Node
from cnnctl.config.parsing import MAX_DEPTH, MAX_NODES, parse
from cnnctl.errors import FaultError


def read(text: str) -> Any:
    return parse(text, origin="x.yaml").plain()


def fault(text: str) -> str:
    with pytest.raises(FaultError) as raised:
        parse(text, origin="x.yaml")
    [found] = raised.value.faults
    assert found.hint
    return str(found)


def below(text: str, *path: str | int) -> Node:
    node = parse(text, origin="x.yaml")
    for step in path:
        child = node.child(step)
        assert child is not None
        node = child
    return node


PLACES = [
    ("a: 1\nb: 2\n", ("b",), "2:1", "2:4"),
    ("a:\n  b:\n    - x\n    - y\n", ("a", "b", 1), None, "4:7"),
    ("a: {b: 1, c: [2, 3]}\n", ("a", "c"), "1:11", "1:14"),
    ("a: {b: 1, c: [2, 3]}\n", ("a", "c", 1), None, "1:18"),
    ("größe: {übung: ja}\n", ("größe", "übung"), "1:9", "1:16"),
    ("名前: '値'\n次: 2\n", ("次",), "2:1", "2:4"),
    ("a: 1\r\nb:\r\n  c: 3\r\n", ("b", "c"), "3:3", "3:6"),
    ("\ufeffa: 1\n", ("a",), "1:1", "1:4"),
    ("# first\n\na: # second\n  1\n", ("a",), "3:1", "4:3"),
    ("a: 'two\n  lines'\nb: 1\n", ("b",), "3:1", "3:4"),
    ("- {a: 1}\n- b: 2\n", (1, "b"), "2:3", "2:6"),
    ("a:\nb: 1\n", ("a",), "1:1", "1:3"),
]


@pytest.mark.parametrize(("text", "path", "key", "value"), PLACES)
def test_keys_and_values_know_their_line_and_column(
    text: str, path: tuple[str | int, ...], key: str | None, value: str
) -> None:
    node = below(text, *path)
    assert str(node.place) == f"x.yaml:{value}"
    assert (node.key_place and str(node.key_place)) == (key and f"x.yaml:{key}")


def test_quotes_make_a_text() -> None:
    assert read("[1, '1', \"1\", true, 'true', '', ~, '~']") == [
        1, "1", "1", True, "true", "", None, "~",
    ]  # fmt: skip


def test_a_block_text_is_a_text() -> None:
    assert read("a: |\n  1\nb: >\n  2\n") == {"a": "1\n", "b": "2\n"}


def test_keys_are_texts() -> None:
    assert read("{1: a, true: b, null: c}") == {"1": "a", "true": "b", "null": "c"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1"),
        ("x: {a: 1, a: 2}", "1:11"),
        ("a: 1\n'a': 2\n", "2:1"),
        ("1: x\n'1': y\n", "2:1"),
    ],
)
def test_a_key_given_twice_is_refused(text: str, place: str) -> None:
    message = fault(text)
    assert message.startswith(f"x.yaml:{place}: ")
    assert "is given twice, first at line 1" in message


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!str", "!mine", "!"]
)
@pytest.mark.parametrize("form", ["a: {} x", "a: {} [x]", "a: {} {{}}", "{} a: x", "a: &b {} x"])
def test_tags_are_refused(tag: str, form: str) -> None:
    message = fault(form.format(tag))
    assert f"tags are not supported: {tag[:30]}" in message


def test_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr("os.system", ran.append)
    for tag in ("python/object/apply:os.system", "python/object/new:os.system"):
        fault(f"!!{tag} [echo]")
    assert not ran


def test_merge_keys_are_refused() -> None:
    message = fault("a: &a {b: 1}\nc:\n  <<: *a\n")
    assert message.startswith("x.yaml:3:3: merge keys are not supported")
    assert "base: FILE" in message
    assert read("{'<<': 1}") == {"<<": 1}


def test_aliases_stand_for_what_they_name() -> None:
    text = "a: &one {x: [1, 2]}\nb: *one\nc: [*one, &two y, *two]\n"
    one = {"x": [1, 2]}
    assert read(text) == {"a": one, "b": one, "c": [one, "y", "y"]}
    assert str(below(text, "b").key_place) == "x.yaml:2:1"
    assert str(below(text, "b").place) == "x.yaml:1:4"


def test_an_anchor_may_be_used_again() -> None:
    assert read("[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2]


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: *b", "&a [1, [*a]]"])
def test_an_alias_without_an_anchor_above_is_refused(text: str) -> None:
    assert "no anchor &" in fault(text)


def laughs(levels: int) -> str:
    lines = ["l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_what_aliases_expand_to_is_bounded() -> None:
    assert len(read(laughs(3))["l2"]) == 10
    assert f"expands to more than {MAX_NODES} values" in fault(laughs(9))


def test_aliases_cannot_build_a_tower() -> None:
    floor = "[" * 40
    message = fault(f"a: &a {floor}{']' * 40}\nb: {floor}*a{']' * 40}\n")
    assert message.startswith("x.yaml:2:44: nested deeper")


@pytest.mark.parametrize("text", ["[" * 10_000, "- " * 10_000, "{a: " * 10_000])
def test_depth_is_bounded(text: str) -> None:
    assert f"nested deeper than {MAX_DEPTH} levels" in fault(text)


def test_the_deepest_file_can_be_read() -> None:
    text = "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    found = read(text)
    for _ in range(MAX_DEPTH):
        [found] = found
    assert found == 1


BROKEN = [
    ("a: [1, 2\nb: 3\n", "2:2", "that begins at line 1", "check brackets"),
    ("a: [1, 2\n", "2:1", "that begins at line 1", "close the bracket"),
    ("a: 'x\n", "2:1", "that begins at line 1", "close the quote"),
    ("a:\n\t- b\n", "2:1", "found character '\\t'", "not allow tabs"),
    ("a: b: c\n", "1:5", "mapping values are not allowed", "quote text that contains ': '"),
    ("train:\n  epochs: 3\n   lr: 1\n", "3:6", "mapping values", "check the indentation"),
    ("a: 1\nb\n", "3:1", "could not find expected ':'", "a colon and a space"),
    ("- a\nb: 1\n", "2:1", "the indentation matches no line above", "align the line"),
    ("a: @b\n", "1:4", "found character '@'", "quote the text"),
    ("{a: 1}}\n", "1:7", "is not YAML", "check brackets"),
    ("? [a]\n: 1\n", "1:3", "a key must be a scalar", "cannot be a key"),
    ("&a b: 1\n*a : 2\n", "2:1", "a key must be a scalar", "cannot be a key"),
    ("a: 1\n---\nb: 2\n", "2:1", "unexpected second document", "a file has one experiment"),
    ("a: \x07\n", "1:4", "contains the character '\\x07'", "remove it"),
    ("a: 1\nb: x\x00\n", "2:5", "contains the character '\\x00'", "remove it"),
    ('a: "\\ud800"\n', "1:4", "lone surrogate", "write the character itself"),
    ('"\\0": 1\n', "1:1", "contains a null character", "write the character itself"),
    ('a: "\\UFFFFFFFF"\n', "1:7", "invalid escape", "write the character itself"),
    ('a: "\\q"\n', "1:6", "unknown escape character", "check brackets, quotes"),
    (f"%YAML 1.{'9' * 5000}\n---\na: 1\n", "1:9", "is not YAML", "write"),
    ("%YAML 2.0\n---\na: 1\n", "1:1", "version 1.* is required", "check"),
    (f"a: {'9' * 101}\n", "1:4", "a number of 101 characters", "quote it if it is a string"),
]


@pytest.mark.parametrize(("text", "place", "message", "hint"), BROKEN)
def test_what_is_no_yaml_has_its_place_and_a_cure(
    text: str, place: str, message: str, hint: str
) -> None:
    first, second = fault(text).split("\n")
    assert first.startswith(f"x.yaml:{place}: ")
    assert message in first
    assert hint in second


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "~", "null"])
def test_an_empty_text_is_nothing(text: str) -> None:
    assert read(text) is None


UNRULY = "-?:,[]{}#&*!|>'\"%@` \n\tab1.\\ux~"


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60) | st.text(UNRULY, max_size=60))
def test_any_text_is_read_or_refused_with_place_and_cure(text: str) -> None:
    try:
        parse(text, origin="x.yaml")
    except FaultError as error:
        for found in error.faults:
            assert found.place.startswith("x.yaml")
            assert found.message
            assert found.hint
