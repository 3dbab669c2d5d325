import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import empty
from torch.nn.functional import max_pool1d

from cnnctl.errors import FaultError
from cnnctl.model.window import check_window, per_side, reach

small = st.integers(1, 6)


def test_a_number_holds_for_every_side() -> None:
    assert per_side(3, 2, option="stride") == (3, 3)
    assert per_side((3, 5), 2, option="stride") == (3, 5)
    assert per_side(0.5, 1, option="scale_factor") == (0.5,)


def test_dilation_spreads_a_window() -> None:
    assert reach((3, 5), (2, 1)) == (5, 5)


@given(side=small, kernel=small, dilation=small)
@settings(max_examples=60, deadline=None)
def test_a_window_fits_where_torch_takes_it(side: int, kernel: int, dilation: int) -> None:
    try:
        check_window((1, side), kernel=(kernel,), dilation=(dilation,), room=(side,))
    except FaultError as error:
        assert not _torch_takes(side, kernel, dilation)
        largest = int(error.faults[0].hint.removeprefix("use kernel_size <= ").split(",")[0])
        assert _torch_takes(side, largest, dilation)
        assert not _torch_takes(side, largest + 1, dilation)
    else:
        assert _torch_takes(side, kernel, dilation)


def _torch_takes(side: int, kernel: int, dilation: int) -> bool:
    try:
        return max_pool1d(empty(1, 1, side), kernel, 1, 0, dilation).numel() > 0
    except RuntimeError:
        return False


def test_two_numbers_do_not_fit_a_signal() -> None:
    with pytest.raises(FaultError, match=r"^stride: \[2, 3\] has 2 sizes, but a signal has one"):
        per_side((2, 3), 1, option="stride")
