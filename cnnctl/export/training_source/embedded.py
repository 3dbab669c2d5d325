"""Datasets that need no download as code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.sources.diabetes import Diabetes
from cnnctl.data.sources.digits import Digits
from cnnctl.data.sources.fake import TEST_SHARE, Fake
from cnnctl.data.sources.inline import Inline
from cnnctl.data.sources.planar import Planar
from cnnctl.data.sources.waveform import Waveform
from cnnctl.export.training_source.layout import literal, variable
from cnnctl.export.training_source.planar import drawing_of
from cnnctl.export.training_source.reading import (
    HEADER,
    Needs,
    reading_source,
    resize_lines,
    split_function,
)


@reading_source.register
def _(data: Digits, needs: Needs) -> str:
    targets = {"digit": "digits[chosen]", "parity": "digits[chosen] % 2"}
    code = split_function(
        "The 8x8 digits of scikit-learn, a fifth of which are for testing.",
        "pixels, digits = map(torch.from_numpy, load_digits(return_X_y=True))",
        "images = (pixels * 255 / 16).round().to(torch.uint8).view(-1, 1, 8, 8)",
        *resize_lines(data),
        f"is_test = hold_out(digits, {literal(list(needs.test_counts))}, seed=0)",
        "chosen = ~is_test if train else is_test",
        f"return images[chosen], {', '.join(targets[name] for name in needs.targets)}",
    )
    return f"from sklearn.datasets import load_digits\n{HEADER}{code}"


@reading_source.register
def _(data: Diabetes, needs: Needs) -> str:
    held_out = sum(needs.test_counts)
    code = split_function(
        "The diabetes patients of scikit-learn, a fifth of which are for testing.",
        "features, values = load_diabetes(return_X_y=True, scaled=False)",
        f"is_test = hold_out(len(values), {held_out}, seed=0)",
        "chosen = (~is_test if train else is_test).numpy()",
        "inputs, targets = map(torch.from_numpy, (features[chosen], values[chosen]))",
        "return inputs.float(), targets[:, None].float()",
    )
    return f"from sklearn.datasets import load_diabetes\n{HEADER}{code}"


@reading_source.register
def _(data: Planar, needs: Needs) -> str:
    document, imports, lines = drawing_of(data)
    code = split_function(
        document,
        f"count = {data.samples} if train else {data.test_samples}",
        f"seed = ({data.data_seed}, 0 if train else 1)",
        "random = np.random.RandomState(np.random.MT19937(seed))",
        *lines,
        "return torch.from_numpy(points).float(), torch.from_numpy(classes)",
    )
    return f"{imports}{HEADER}{code}"


@reading_source.register
def _(data: Waveform, needs: Needs) -> str:
    code = split_function(
        "Noisy mixtures of two of three triangular waves (Breiman et al. 1984).",
        f"count = {data.samples} if train else {data.test_samples}",
        f"seed = ({data.data_seed}, 0 if train else 1)",
        "random = np.random.RandomState(np.random.MT19937(seed))",
        "places, pairs = np.arange(1, 22), np.array([(0, 1), (0, 2), (1, 2)])",
        "waves = np.stack([np.maximum(6 - abs(places - p), 0.0) for p in (11, 15, 7)])",
        "classes = np.arange(count) % 3",
        "one, other = waves[pairs[classes].T]",
        "share = random.uniform(size=(count, 1))",
        "signals = share * one + (1 - share) * other",
        f"signals += random.normal(scale={data.noise!r}, size=signals.shape)",
        "return torch.from_numpy(signals).float()[:, None], torch.from_numpy(classes)",
    )
    return f"{HEADER}{code}"


@reading_source.register
def _(data: Fake, needs: Needs) -> str:
    shape = ", ".join(map(str, data.shape))
    drawn = f"torch.randn(count, {shape}, generator=generator)"
    if len(data.shape) == 3:
        drawn = f"torch.randint(256, (count, {shape}), dtype=torch.uint8, generator=generator)"
    targets = f"torch.arange(count) % {data.classes}"
    if data.multilabel:
        targets = f"(torch.rand(count, {data.classes}, generator=generator) < 0.5).float()"
    code = split_function(
        "Random samples.",
        f"count = {data.samples} if train else {max(1, data.samples // TEST_SHARE)}",
        "generator = torch.Generator().manual_seed(0 if train else 1)",
        f"inputs = {drawn}",
        f"return inputs, {targets}",
    )
    return f"{HEADER}{code}"


@reading_source.register
def _(data: Inline, needs: Needs) -> str:
    train = _inline_rows(data, "train", needs.targets)
    if not data.test_inputs:
        return f"{HEADER}{split_function('The samples.', *train, _returned(needs.targets))}"
    test = _inline_rows(data, "test", needs.targets)
    both = ["if train:", *(f"    {line}" for line in train)]
    both += ["else:", *(f"    {line}" for line in test)]
    return f"{HEADER}{split_function('The samples.', *both, _returned(needs.targets))}"


def _inline_rows(data: Inline, split: StoredSplit, names: Sequence[str]) -> list[str]:
    """Lines that assign the inputs and targets of a split."""
    is_test = split == "test"
    samples = data.load(split, root=Path())
    known = {name: samples.others.get(name, samples.targets) for name in names}
    given = data.test_targets if is_test else data.targets
    written = given if isinstance(given, dict) else {names[0]: given}
    rows: dict[str, object] = {"inputs": data.test_inputs if is_test else data.inputs}
    for name, tensor in known.items():
        rows[f"{name}s"] = written[name] if tensor.is_floating_point() else tensor.tolist()
    return [f"{variable(name)} = {literal(numbers)}" for name, numbers in rows.items()]


def _returned(names: Sequence[str]) -> str:
    known = ["inputs", *(f"{name}s" for name in names)]
    return f"return {', '.join(f'torch.tensor({variable(name)})' for name in known)}"
