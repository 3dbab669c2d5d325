"""Optimizers that torch lacks, as code."""

from __future__ import annotations

from cnnctl.optim.optimizers.orthogonal import QUINTIC, Muon

LION = '''
class Lion(torch.optim.Optimizer):
    """Steps along the sign of the momentum (Chen et al. 2023)."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            lr, (mixing, keeping) = group["lr"], group["betas"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                average = state.setdefault("average", torch.zeros_like(weight))
                weight.mul_(1 - lr * group["weight_decay"])
                weight.sub_(lr * average.lerp(weight.grad, 1 - mixing).sign())
                average.lerp_(weight.grad, 1 - keeping)


'''
MUON = '''
class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised for each weight as a matrix with a row for each output.

    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon.
    """

    def __init__(self, params, lr=0.02, momentum=0.95, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                average = state.setdefault("average", torch.zeros_like(weight))
                average.lerp_(weight.grad, 1 - momentum)
                step = <step>
                <normalize>
                weight.mul_(1 - lr * group["weight_decay"])
                rows, columns = len(weight), weight[0].numel()
                weight.sub_(<rate> * orthogonalized(step))


def orthogonalized(gradient: torch.Tensor) -> torch.Tensor:
    """Roughly U V' of a gradient U S V', as a matrix, by Newton-Schulz steps."""
    matrix = gradient.flatten(1)
    wide = matrix.T if len(matrix) > matrix.shape[1] else matrix
    wide = wide.bfloat16() if wide.is_cuda else wide
    wide = wide / wide.norm().clamp(min=<eps>)
    for _ in range(<ns_steps>):
        gram = wide @ wide.T
        gram = torch.addmm(gram, gram, gram, beta=<b>, alpha=<c>)
        wide = torch.addmm(wide, gram, wide, beta=<a>)
    found = wide.T if len(matrix) > matrix.shape[1] else wide
    return found.reshape(gradient.shape).to(gradient.dtype)


'''
BUILT_IN = ("nesterov", "ns_steps", "eps", "adjust_lr_fn", "normalize")
"""Settings that are written into the class `Muon`."""
ADJUSTMENTS = {
    "original": "max(1, rows / columns) ** 0.5",
    "match_rms_adamw": "0.2 * max(rows, columns) ** 0.5",
    "spectral_unclamped": "(rows / columns) ** 0.5",
}
"""Factors on the learning rate of a weight, by `adjust_lr_fn`."""
TOGETHER = '''
class Together(torch.optim.Optimizer):
    """Optimizers that take a step together, each for its own weights."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers
        super().__init__([group for each in optimizers for group in each.param_groups], {})

    def step(self) -> None:
        for each in self.optimizers:
            each.step()


'''


def muon_source(settings: Muon) -> str:
    """The class `Muon`, with these settings but for those that groups may have."""
    factor = ADJUSTMENTS.get(settings.adjust_lr_fn)
    unused = [] if settings.normalize else ["<normalize>"]
    unused += [] if factor else ["rows, columns ="]
    lines = [line for line in MUON.split("\n") if not any(mark in line for mark in unused)]
    code = "\n".join(lines)
    for mark, value in {
        "step": "weight.grad.lerp(average, momentum)" if settings.nesterov else "average",
        "normalize": "weight.mul_(len(weight) ** 0.5 / weight.norm())",
        "rate": f"lr * {factor}" if factor else "lr",
        "eps": settings.eps,
        "ns_steps": settings.ns_steps,
        **dict(zip("abc", QUINTIC, strict=True)),
    }.items():
        code = code.replace(f"<{mark}>", str(value))
    return code
