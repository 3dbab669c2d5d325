import re
import tomllib
from pathlib import Path

import pytest

from cnnctl.errors import FaultError
from cnnctl.extras import EXTRAS, require

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))
DECLARED: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]


@pytest.mark.parametrize("package", EXTRAS)
def test_each_package_is_in_the_extra_that_is_named(package: str) -> None:
    names = [re.split(r"[>\[]", each)[0] for each in DECLARED[EXTRAS[package]]]
    assert package.replace("_", "-") in names


def test_a_missing_package_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "nowhere_to_be_found", "plot")
    with pytest.raises(FaultError) as caught:
        require("nowhere_to_be_found", what="pictures need", otherwise="print them")
    [fault] = caught.value.faults
    assert fault.message == "pictures need the nowhere_to_be_found package"
    assert fault.hint == "install it with: pip install 'cnnctl[plot]', or print them"
