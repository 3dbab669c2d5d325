"""Problems in the plane as code: how their points are drawn."""

from __future__ import annotations

from functools import singledispatch

from cnnctl.data.sources.planar import Blobs, Circles, Moons, Planar, Spirals, Xor
from cnnctl.errors import config_fault
from cnnctl.export.training_source.layout import Code, call


@singledispatch
def drawing_of(data: Planar) -> tuple[str, str, tuple[str, ...]]:
    """What is drawn, imports, and lines that draw `points` and `classes`, `count` of them."""
    message = f"a training script cannot draw {data.kind}"
    raise config_fault(message, hint="leave out --training")


def _noise(data: Planar) -> str:
    return f"points += random.normal(scale={data.noise!r}, size=points.shape)"


@drawing_of.register
def _(data: Moons) -> tuple[str, str, tuple[str, ...]]:
    options = {"noise": data.noise, "random_state": Code("random")}
    line = f"points, classes = {call('make_moons', 'count', **options)}"
    return "Two interleaving half circles.", "from sklearn.datasets import make_moons\n", (line,)


@drawing_of.register
def _(data: Circles) -> tuple[str, str, tuple[str, ...]]:
    options = {"noise": data.noise, "factor": data.factor, "random_state": Code("random")}
    line = f"points, classes = {call('make_circles', 'count', **options)}"
    return "A circle within a circle.", "from sklearn.datasets import make_circles\n", (line,)


@drawing_of.register
def _(data: Spirals) -> tuple[str, str, tuple[str, ...]]:
    lines = (
        f"classes = np.arange(count) % {data.arms}",
        "radius = random.uniform(size=count)",
        f"angle = 2 * np.pi * ({data.turns!r} * radius + classes / {data.arms})",
        "points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)",
        _noise(data),
    )
    return "Arms that wind around each other, out to a radius of 1.", "", lines


@drawing_of.register
def _(data: Xor) -> tuple[str, str, tuple[str, ...]]:
    lines = (
        "points = random.uniform(-1, 1, size=(count, 2))",
        "classes = (points[:, 0] * points[:, 1] < 0).astype(np.int64)",
        _noise(data),
    )
    return "A square in four quadrants; opposite ones have the same class.", "", lines


@drawing_of.register
def _(data: Blobs) -> tuple[str, str, tuple[str, ...]]:
    lines = (
        f"classes = np.arange(count) % {data.centers}",
        f"angle = 2 * np.pi * classes / {data.centers}",
        "points = np.stack([np.cos(angle), np.sin(angle)], axis=1)",
        _noise(data),
    )
    return "Gaussian clouds with centres on the unit circle.", "", lines
