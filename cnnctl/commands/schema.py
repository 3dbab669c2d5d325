"""`cnnctl schema`: the JSON schema of an experiment."""

from __future__ import annotations

import json

import typer

from cnnctl.commands import command


@command("schema")
def schema() -> None:
    """Print the JSON schema by which an editor completes and checks experiments."""
    from cnnctl.config.schema import json_schema
    from cnnctl.experiment import Experiment

    described = json_schema(Experiment, title="A cnnctl experiment")
    typer.echo(json.dumps(described, indent=1, ensure_ascii=False))
