"""Planes through points of many dimensions."""

from __future__ import annotations

import pytest
import torch
from sklearn.decomposition import PCA

from cnnctl.errors import FaultError
from cnnctl.plotting.planes import along, numbers_of, principal, through

NAMES = ["a", "b", "c"]


def random_points(count: int, width: int) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0))


def test_along_axes_other_coordinates_are_medians() -> None:
    points = torch.tensor([[1.0, 10.0, 5.0], [2.0, 30.0, 6.0], [3.0, 20.0, 9.0]])
    plane = along([2, 0], NAMES, points)
    assert plane.names == ("c", "a")
    assert plane.places(points).tolist() == [[5.0, 1.0], [6.0, 2.0], [9.0, 3.0]]
    assert plane.points(torch.tensor([[7.0, 8.0]])).tolist() == [[8.0, 20.0, 7.0]]
    assert plane.remark == "the other coordinate at its median"


def test_a_plane_through_three_points_keeps_their_distances() -> None:
    points = random_points(3, 50)
    plane = through(points, ["p", "q", "r"])
    places = plane.places(points)
    assert torch.allclose(plane.points(places), points, atol=1e-5)
    assert torch.allclose(torch.cdist(places, places), torch.cdist(points, points), atol=1e-4)
    assert places[0].tolist() == [0.0, 0.0]
    assert abs(float(places[1, 1])) < 1e-5
    assert float(places[2, 1]) > 0


@pytest.mark.parametrize("third", [[2.0, 4.0], [0.0, 0.0], [1.0, 2.0]])
def test_points_on_a_line_are_a_fault(third: list[float]) -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 2.0], third])
    with pytest.raises(FaultError, match="on one line"):
        through(points, ["p", "q", "r"])
    with pytest.raises(FaultError, match="on one line"):
        through(points[[0, 0, 1]], ["p", "p", "q"])


def test_principal_components_are_those_of_scikit_learn() -> None:
    points = random_points(40, 5) * torch.tensor([1.0, 5.0, 2.0, 0.5, 3.0])
    plane = principal(points)
    found = PCA(2).fit(points.double().numpy())
    expected = torch.from_numpy(found.transform(points.double().numpy())).float()
    assert torch.allclose(plane.places(points).abs(), expected.abs(), atol=1e-4)
    shares = [f"{share:.0%}" for share in found.explained_variance_ratio_]
    assert [name.partition("(")[2].rstrip(")") for name in plane.names] == shares


def test_features_are_given_by_name_or_number() -> None:
    assert numbers_of(["c", "0"], NAMES) == [2, 0]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["a"], "--features takes two different features, not a"),
        (["a", "a"], "--features takes two different features, not a, a"),
        (["a", "3"], r"there is no feature 3\n.*there are 3, counted from 0"),
        (["a", "lenght"], r"there is no feature lenght\n.*known: a, b, c"),
    ],
)
def test_a_feature_that_is_not_there_is_a_fault(words: list[str], fault: str) -> None:
    with pytest.raises(FaultError, match=fault):
        numbers_of(words, NAMES)
