"""`cnnctl schema`: the JSON schema of an experiment."""

from __future__ import annotations

from cnnctl.commands import command, print_json


@command("schema")
def schema() -> None:
    """Print the JSON schema of experiment files, for completion and checks in editors."""
    from cnnctl.config.schema import json_schema
    from cnnctl.experiment import Experiment

    described = json_schema(Experiment, title="A cnnctl experiment")
    print_json(described)
