import pytest

from cnnctl.data.shards.naming import root_and_names, shard_of
from cnnctl.errors import FaultError


@pytest.mark.parametrize(
    ("path", "root", "names"),
    [
        ("shards", "shards", []),
        ("shards/0.tar", "shards", ["0.tar"]),
        ("0.tar", ".", ["0.tar"]),
        ("/a/b/t-{08..11}.tar", "/a/b", ["t-08.tar", "t-09.tar", "t-10.tar", "t-11.tar"]),
        ("a/{x,y}/{0..1}.tar", "a", ["x/0.tar", "x/1.tar", "y/0.tar", "y/1.tar"]),
        (
            "a/{train-{0..1},val}.tar",
            "a",
            ["train-0.tar", "val.tar", "train-1.tar"],
        ),
        ("http://host/a/{0,0}.tar", "http://host/a", ["0.tar"]),
    ],
)
def test_braces_stand_for_names(path: str, root: str, names: list[str]) -> None:
    found, expanded = root_and_names(path)
    assert (found, sorted(expanded)) == (root, sorted(names))


@pytest.mark.parametrize(
    "path",
    [
        "a/{0..9.tar",
        "a/0}.tar",
        "a/{9..0}.tar",
        "a/{0..999999999}.tar",
        "a/{..,b}/0.tar",
        "a/{,b}/0.tar",
        "a/{0..999}{0..999}.tar",
        f"a/{'{0,1}' * 400}.tar",
        f"a/{'x' * 5000}.tar",
    ],
)
def test_other_patterns_are_faults(path: str) -> None:
    with pytest.raises(FaultError):
        root_and_names(path)


def test_a_name_begins_with_its_shard() -> None:
    assert shard_of("a/0.tar/cat/1.tar/x.jpg") == "a/0.tar"
