"""The outputs of a network, the same for a sample in whatever company it comes."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, prod

import torch
from torch import Tensor, nn

from cnnctl.data.loader import Batches
from cnnctl.device import autocast
from cnnctl.model.network import NetworkPlan
from cnnctl.world import World

MOST_NUMBERS = 2**28
"""Limit on the bytes that one layer reads and writes at a time: a gigabyte."""
SMALLEST, LARGEST = 8, 256
COMPARED = 64
"""Outputs, at least, by which two sizes of blocks are compared."""
TOGETHER = {"cpu": 2**23, "cuda": 2**27}
"""Numbers that the layers compute for a block, which keeps the device busy."""


def block_size(plan: NetworkPlan, device: torch.device) -> int:
    """The number of samples that a network computes at a time, always the same one.

    Kernels add up in an order that depends on the size of a batch, not on what is in it: with
    blocks of one size, a sample gets the same bits alone, in a batch, and in any place of it. A
    power of two from 8 to 256, smaller for larger networks; less where memory is short.
    """
    numbers = [prod(stage.input) + prod(stage.output) for stage in plan.leaves()]
    wanted = max(1, TOGETHER.get(device.type, TOGETHER["cpu"]) // sum(numbers))
    size = min(LARGEST, max(SMALLEST, 1 << (wanted.bit_length() - 1)))
    return max(1, min(size, MOST_NUMBERS // max(numbers)))


def sizes_alike(
    network: nn.Module, plan: NetworkPlan, device: torch.device, *, precision: str
) -> tuple[int, ...]:
    """Sizes up to `block_size` that give a sample the same bits as a block of it; rising.

    They are tried with noise. The order in which kernels add up depends on sizes alone, so that
    another order would change some of the outputs, and be seen.
    """
    block, needed = block_size(plan, device), ceil(COMPARED / prod(plan.output))
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(_multiple(block, needed), *plan.input, generator=generator).to(device)
    wanted = _in_blocks(network, noise, block, precision)

    def is_alike(size: int) -> bool:
        count = _multiple(size, needed)
        return torch.equal(_in_blocks(network, noise[:count], size, precision), wanted[:count])

    smaller = (2**power for power in range(block.bit_length()) if 2**power < block)
    return (*filter(is_alike, smaller), block)


def _multiple(size: int, least: int) -> int:
    return size * ceil(least / size)


def _in_blocks(network: nn.Module, inputs: Tensor, size: int, precision: str) -> Tensor:
    batches = ((part, part) for part in torch.split(inputs, size))
    return collect_outputs(network, batches, precision=precision)[0]


@torch.no_grad()
def collect_outputs(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], *, precision: str
) -> tuple[Tensor, Tensor]:
    """Run every batch through the network in evaluation mode, and restore its mode.

    Inputs beyond the targets of a batch fill up its block, and are dropped.

    Returns:
        outputs (N, *output) float32, and the targets (N, …), both in the batches' order.
    """
    was_training = network.training
    network.eval()
    outputs, targets = [], []
    for inputs, wanted in batches:
        with autocast(precision, inputs.device):
            outputs.append(network(inputs)[: len(wanted)].float())
        targets.append(wanted)
    network.train(was_training)
    return torch.cat(outputs), torch.cat(targets)


def outputs_of_all(
    network: nn.Module, batches: Batches, *, block: int, precision: str, world: World
) -> tuple[Tensor, Tensor]:
    """`collect_outputs` for all samples of a split, whose blocks are divided among the ranks.

    The outputs are those of one process, to the bit: they have the same company in their blocks.
    """
    if world.size == 1:
        in_order = batches.in_order(batch_size=block, filled=True)
        return collect_outputs(network, in_order, precision=precision)
    samples = len(batches.positions)
    blocks = ceil(samples / block)
    most = ceil(blocks / world.size)
    # a rank without a block takes the last one, too, which is cut off below
    first = min(world.rank, blocks - 1)
    own = batches.in_order(batch_size=block, filled=True, rank=first, ranks=world.size)
    outputs, _ = collect_outputs(network, own, precision=precision)
    world.meet()
    table = outputs.new_zeros(most * block, *outputs.shape[1:])
    table[: len(outputs)] = outputs
    dealt = world.stack(table.view(most, block, *outputs.shape[1:])).transpose(0, 1)
    return dealt.flatten(0, 2)[:samples], batches.source.targets(batches.positions)
