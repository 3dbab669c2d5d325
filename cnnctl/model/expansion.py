"""Expansion of the short forms of a model into layers: templates, zoo, torchvision."""

from __future__ import annotations

from dataclasses import replace

from cnnctl.config.nodes import Node
from cnnctl.config.templates import expand as expand_templates
from cnnctl.errors import Fault, FaultError, config_fault, nearest, under
from cnnctl.model import zoo
from cnnctl.model.layer import Layer
from cnnctl.model.layers.torchvision_models import WITH_AUXILIARY_HEADS
from cnnctl.model.network import Model

WAYS = ("layers", "zoo", "torchvision")
"""Options that choose a network; only one can be given."""
PUBLISHED_OUTPUTS = 1000
"""Of torchvision's networks: the classes of ImageNet."""


def expand(root: Node) -> Node:
    """Expand the model of an experiment into layers.

    Raises:
        FaultError: unknown names or options; paths are those of the experiment.
    """
    model = root.child("model")
    if model is None or not isinstance(root.value, dict) or not isinstance(model.value, dict):
        return root
    try:
        written = _written_out(model)
    except FaultError as error:
        raise under(("model",), error) from None
    return replace(root, value={**root.value, "model": written})


def _written_out(model: Node) -> Node:
    assert isinstance(model.value, dict)
    chosen = [way for way in WAYS if way in model.value]
    if len(chosen) > 1:
        message = f"{chosen[0]} and {chosen[1]} both name a network"
        raise config_fault(message, hint="keep one of them", path=(chosen[1],))
    if "zoo" in model.value:
        model = _from_zoo(model, model.value["zoo"])
    elif "torchvision" in model.value:
        model = _from_torchvision(model, model.value["torchvision"])
    return expand_templates(model, kinds=Layer.kinds)


def _from_zoo(model: Node, name: Node) -> Node:
    """The model, with the layers of a network of the zoo; heads replace its classifier."""
    assert isinstance(model.value, dict)
    network = zoo.find(name.value)
    options = {k: v for k, v in model.value.items() if k in network.model_fields}
    rest = {k: v for k, v in model.value.items() if k not in options and k != "zoo"}
    unknown = [key for key in rest if key not in Model.model_fields]
    if unknown:
        known = [name for name in (*network.model_fields, *Model.model_fields) if name != "layers"]
        message = f"{name.value} has no such option"
        raise FaultError(
            *(
                Fault(message=message, hint=nearest(key, known), path=(key,), at_key=True)
                for key in unknown
            )
        )
    published = zoo.model_of(network, Node(options, name.place), used_at=name.place)
    assert isinstance(published.value, dict)
    written = {**published.value, **rest}
    if _has_heads(model):
        written["layers"] = _without_classifier(written["layers"])
    return replace(model, value=written)


def _has_heads(model: Node) -> bool:
    heads = model.child("heads")
    return heads is not None and bool(heads.value)


def _without_classifier(layers: Node) -> Node:
    """Layers without a last one that is linear, with an output for each class."""
    assert isinstance(layers.value, list)
    *body, last = layers.value
    linear = last.child("linear")
    width = linear and (linear.child("out_features") or linear)
    return replace(layers, value=body) if width and width.value == "classes" else layers


def _from_torchvision(model: Node, name: Node) -> Node:
    """The model, with a torchvision network as its only layer, before any heads.

    Heads learn from the outputs for ImageNet's classes, as their weights are published.
    """
    assert isinstance(model.value, dict)
    rest = {key: node for key, node in model.value.items() if key != "torchvision"}
    options = replace(name, home=("torchvision",))
    more = dict[str, Node]()
    if _has_default_weights(model) and name.value in WITH_AUXILIARY_HEADS:
        more["transform_input"] = Node(True, name.place)
    if _has_heads(model):
        more["outputs"] = Node(PUBLISHED_OUTPUTS, name.place)
    if more:
        options = Node({"model": options, **more}, name.place, layer=name.layer)
    layer = Node({"torchvision": options}, name.place, layer=name.layer)
    layers = Node([layer], name.place, layer=name.layer)
    return replace(model, value={"layers": layers, **rest})


def _has_default_weights(model: Node) -> bool:
    weights = model.child("weights")
    return weights is not None and weights.value == "DEFAULT"
