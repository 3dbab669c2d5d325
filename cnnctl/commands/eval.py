"""`cnnctl eval`: measure trained networks, also on disturbed inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl import completion
from cnnctl.commands import (
    AnySplit,
    AsJson,
    DataFolder,
    Device,
    Plugins,
    SplitOption,
    Views,
    command,
    display,
    print_json,
    say,
)
from cnnctl.errors import Fault, FaultError
from cnnctl.paths import is_folder, is_there

if TYPE_CHECKING:
    from cnnctl.disturbance.sweeps import Sweep
    from cnnctl.evaluation.evaluate import Measurable
    from cnnctl.world import World

ONE_AT_A_TIME = "evaluate one at a time, or compare them with --disturb shift=0..4"


@command("eval")
def evaluate(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="Run folder or checkpoint; several with --disturb, and further disturbances.",
            metavar="RUN...",
            show_default=False,
            autocompletion=completion.run,
        ),
    ],
    split: AnySplit = None,
    disturb: Annotated[
        list[str] | None,
        typer.Option(
            help="Disturb the inputs and show what that costs: shift=0..4 rotate=0..30 "
            "noise=0..0.3 fgsm=0.05,0.1; also scale, blur, brightness, contrast, occlude, pgd.",
            metavar="NAME=A..B[/STEPS]",
            show_default=False,
            autocompletion=completion.disturbance,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="With --disturb, draw the curves to a .png or .svg file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            help="With --disturb, measure on so many samples, drawn at random.",
            min=1,
            show_default=False,
        ),
    ] = None,
    attack_steps: Annotated[
        int | None,
        typer.Option(help="Steps of pgd (default: 20).", min=1, max=10_000, show_default=False),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the disturbances (default: 0).", min=0, show_default=False),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Batch size (default: 8 to 256, smaller for larger networks).", min=1),
    ] = None,
    views: Views = 1,
    device: Device = "auto",
    data: DataFolder = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a trained network: loss, accuracy and per-class metrics."""
    opening = _Opening(split, batch_size, device, data, plugin or [], limit, views)
    if disturb is None:
        only_disturbed = {"-o": output, "--limit": limit, "--seed": seed}
        _refuse_others(arguments, {**only_disturbed, "--attack-steps": attack_steps})
        from cnnctl.rendezvous import joined

        with joined() as world:
            _measure(Path(arguments[0]), opening, world, as_json=as_json)
        return
    from cnnctl.disturbance.sweeps import parse_sweeps

    more = [word for word in arguments if "=" in word and not is_there(Path(word))]
    sources = [word for word in arguments if word not in more]
    if not sources:
        raise FaultError(Fault(message="no run given", hint="write cnnctl eval RUN --disturb …"))
    sweeps = parse_sweeps([*disturb, *more], attack_steps=attack_steps)
    _disturb(sources, sweeps, opening, seed=seed or 0, output=output, as_json=as_json)


def _refuse_others(words: Sequence[str], only_disturbed: Mapping[str, object]) -> None:
    """Refuse further words and options that only disturbing takes."""
    given = [name for name, value in only_disturbed.items() if value is not None]
    if given:
        hint = "add a disturbance, such as --disturb shift=0..4"
        raise FaultError(Fault(message=f"{given[0]} needs --disturb", hint=hint))
    if len(words) > 1:
        disturbances = [word for word in words if "=" in word and not is_there(Path(word))]
        hint = f"write --disturb {disturbances[0]}" if disturbances else ONE_AT_A_TIME
        message = f"expected one run, but got {len(words)}: {', '.join(words)}"
        raise FaultError(Fault(message=message, hint=hint))


@dataclass(frozen=True, slots=True)
class _Opening:
    """How runs are opened."""

    split: SplitOption | None
    batch_size: int | None
    device: str
    data: Path | None
    plugins: Sequence[Path]
    limit: int | None
    views: int

    def open(self, source: Path, world: World | None = None) -> tuple[Path, Measurable]:
        """The checkpoint of a run, and its network with the split to measure it on."""
        from cnnctl.device import use_part_of_machine
        from cnnctl.evaluation.evaluate import open_checkpoint
        from cnnctl.world import ALONE

        world = world or ALONE

        path, opened = open_checkpoint(
            source,
            split=self.split.value if self.split else None,
            batch_size=self.batch_size,
            device=use_part_of_machine(self.device, world),
            data_root=self.data,
            plugins=self.plugins,
            limit=self.limit,
            views=self.views,
            world=world,
        )
        if world.is_first and is_folder(source) and path.name == "last.safetensors":
            say(f"{source}: best.safetensors is missing; evaluating last.safetensors", err=True)
        return path, opened

    def headline(self, path: Path, opened: Measurable) -> str:
        """The checkpoint and the split."""
        is_default = self.split is None and opened.split != SplitOption.TEST.value
        why = " (no test split)" if is_default else ""
        views = f", {self.views} views" if self.views > 1 else ""
        return f"{path.name}, epoch {opened.trained.epoch}: {opened.split} split{why}{views}"


def _measure(source: Path, opening: _Opening, world: World, *, as_json: bool) -> None:
    from cnnctl.evaluation.report import render

    with world.together():
        path, opened = opening.open(source, world)
    measured = opened.measure()
    if not world.is_first:
        return
    if as_json:
        facts = {"checkpoint": str(path), "epoch": opened.trained.epoch}
        print_json(facts | measured.to_json())
    else:
        say(opening.headline(path, opened))
        display(render(measured.result))


def _disturb(
    sources: Sequence[str],
    sweeps: Sequence[Sweep],
    opening: _Opening,
    *,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    from cnnctl.charts import check_output, write
    from cnnctl.console import advancing
    from cnnctl.disturbance.measuring import Network, measure, passes
    from cnnctl.disturbance.report import charts, notes, render

    if output is not None:
        check_output(output)
    opened = {source: opening.open(Path(source)) for source in sources}
    networks = [Network(source, measurable) for source, (_, measurable) in opened.items()]
    total = passes(sweeps) * sum(network.measurable.samples for network in networks)
    with advancing(total, "disturbing") as advance:
        found = measure(networks, sweeps, seed=seed, advance=advance)
    if output is not None:
        write(charts(found), output)
    if as_json:
        facts = [
            {"source": name, "checkpoint": str(path), "epoch": own.trained.epoch}
            | {"split": own.split, "views": own.views, "samples": own.samples}
            for name, (path, own) in opened.items()
        ]
        print_json({"seed": seed, "sources": facts, **found.to_json()})
        return
    for name, (path, own) in opened.items():
        beside = f"{name}: " if len(opened) > 1 else ""
        samples = f"{own.samples:,} samples"
        say(f"{beside}{opening.headline(path, own)}, {samples}")
    display(render(found))
    for note in notes(found):
        say(note)
    if output is not None:
        say(str(output))
