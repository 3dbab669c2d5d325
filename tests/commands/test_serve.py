"""`cnnctl serve`: what is refused before anything is served."""

from __future__ import annotations

import pytest

from tests.conftest import invoke


@pytest.mark.parametrize("token", ["zwei Wörter", "line\nline", "schlüssel"])
def test_a_token_that_no_header_carries_is_refused(token: str) -> None:
    done = invoke("serve", "runs/lenet", "--token", token)
    assert done.exit_code == 2
    assert "--token has characters that a request cannot bear" in done.stderr
    assert token not in done.stderr
