"""Names for classes: those of published networks as they are spelled, others in CamelCase."""

from __future__ import annotations

import keyword
import re

from cnnctl.model.zoo import Network

_ABBREVIATIONS = ("mlp", "cnn", "tdnn", "rnn", "fcn")
_TAKEN = ("F", "Iterable", "OrderedDict", "Path", "Sequence", "StochasticDepth", "Tensor")
"""Names that a source imports, or might."""


def title_of(name: str) -> str:
    """The published name of a network of the zoo, such as `ResNet-18`; any other is itself."""
    known = Network.kinds.get(name)
    about = (known.__doc__ or "") if known else ""
    title = re.split(r" \(|,| for | in | with |\.$", about)[0]
    is_name = re.fullmatch(r"\S+[A-Z]\S*|\S*\d\S*|\S+ [\d.]+", title)
    return title if is_name else name


def network_class_name(name: str) -> str:
    """The name of the class for a network, or an experiment, of this name: `LeNetMnist`."""
    spelled = _spellings()
    words = re.findall(r"[^\W_]+", title_of(name))
    whole = "".join(_spelled(word, spelled) for word in words)
    return free_name(whole if whole.isidentifier() and whole.isascii() else f"Network{whole}")


def block_class_name(name: str) -> str:
    """The name of the class for a block of this name: `InvertedResidual`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def free_name(name: str) -> str:
    """The same name, or another one if Python or the imports of a source have it."""
    name = re.sub(r"[^0-9A-Za-z]", "", name) or "Network"
    return f"{name}Network" if keyword.iskeyword(name) or name in _TAKEN else name


def _spellings() -> dict[str, str]:
    """Words as published networks are spelled: `resnet` is `ResNet`."""
    titles = (title_of(name) for name in Network.kinds)
    words = (re.split(r"[-\d]", title)[0] for title in titles)
    abbreviations = {word: word.upper() for word in _ABBREVIATIONS}
    return {word.lower(): word for word in words if not word.islower()} | abbreviations


def _spelled(word: str, spelled: dict[str, str]) -> str:
    letters = re.match(r"[A-Za-z]*", word)
    assert letters is not None
    stem, rest = letters[0], word[letters.end() :]
    return spelled.get(stem.lower(), stem[:1].upper() + stem[1:]) + rest
