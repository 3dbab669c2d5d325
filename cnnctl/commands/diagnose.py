"""`cnnctl diagnose`: say why a network learns badly, or would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, DataFolder, Plugins, command, display, print_json, say


@command("diagnose")
def diagnose(
    source: Annotated[
        Path,
        typer.Argument(
            help="Run folder, checkpoint, or experiment file or name.",
            metavar="SOURCE",
            show_default=False,
            autocompletion=completion.source,
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Options to override, such as optimizer.lr=0.01; only without a checkpoint.",
            metavar="PATH=VALUE",
            show_default=False,
            autocompletion=completion.override,
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(help="Device: cpu, cuda, cuda:N or auto.", autocompletion=completion.device),
    ] = "auto",
    data: DataFolder = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Find out why a network learns badly: from its run, or before training."""
    from cnnctl import diagnosis
    from cnnctl.advice import placed_advice

    case = diagnosis.open_case(
        source, overrides or (), device=device, plugins=plugin or (), data_root=data
    )
    advice = [] if case.is_trained else placed_advice(case.loaded)
    if not as_json:
        for each in advice:
            say(str(each))
    facts = diagnosis.gather(case)
    findings = diagnosis.judged(facts)
    if as_json:
        plain = {"source": str(source), "advice": [each.to_json() for each in advice]}
        print_json(plain | diagnosis.to_json(facts, findings))
    else:
        display(diagnosis.render(str(source), facts, findings))
