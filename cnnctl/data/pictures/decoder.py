"""Decodes many pictures into the rows of one file, in several processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures import worker
from cnnctl.data.pictures.orders import orders_of
from cnnctl.data.pictures.processes import FEW, Advance, carry_out
from cnnctl.data.pictures.worker import Decoded, PictureForm, Put, decode_into, into


def decode_to_file(
    tree: FileTree,
    entries: Sequence[Entry],
    form: PictureForm,
    target: Path,
    *,
    processes: int,
    advance: Advance,
) -> list[Decoded]:
    """Decode every file to its row of `target`; what became of each, in the order of `entries`.

    Raises:
        OSError: `target` cannot be written.
        FaultError: a process ended while it was decoding.
    """
    if len(entries) > FEW and not tree.is_sequential:
        command, orders = [worker.__name__, str(target), form.text], list(orders_of(tree, entries))
        with tree.at_hand(entries):
            answers = carry_out(tree, orders, command, processes=processes, advance=advance)
        return sorted((Decoded(*each) for each in answers), key=lambda each: each.row)
    with target.open("r+b") as file:
        return decode_here(tree, entries, form, into(file.fileno(), form), advance=advance)


def decode_here(
    tree: FileTree, entries: Sequence[Entry], form: PictureForm, put: Put, *, advance: Advance
) -> list[Decoded]:
    """The same in this process, to wherever `put` puts the rows."""
    decoded: list[Decoded] = []
    for order in orders_of(tree, entries):
        decoded += decode_into(put, tree, order, form)
        advance(len(order))
    return sorted(decoded, key=lambda each: each.row)
