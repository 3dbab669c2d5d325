"""Adam and its variants."""

from __future__ import annotations

import torch
from torch import Tensor, optim

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat
from cnnctl.optim.optimizers.optimizer import Betas, Groups, Optimizer
from cnnctl.optim.working import Update


class AdamLike(Optimizer):
    """Averages of the gradient and of its square, with bias correction."""

    usual_lr = (1e-5, 1e-2)
    keeps = 2  # averages of gradients and their squares
    rescales_l2 = True

    lr: PositiveFloat = 1e-3
    """Learning rate."""
    betas: Betas = (0.9, 0.999)
    """Decay rates of the averages of the gradient and its square."""
    eps: PositiveFloat = 1e-8
    """Added to the denominator for numerical stability."""

    def begin(self, update: Update, *, apart: bool) -> tuple[float, float]:
        """Apply the weight decay of an update, `apart` from the gradient or within; returns betas.

        They are those of the step, which a schedule may change.
        """
        if apart:
            update.decay_apart()
        else:
            update.decay()
        first, second = update.settings["betas"]
        return first, second

    def corrected(self, update: Update, symbol: str, average: Tensor, share: float) -> Tensor:
        """Add an average without its bias towards 0."""
        formula = f"{symbol} / (1 - {share:g}^{update.step})"
        hat = f"{symbol}\N{COMBINING CIRCUMFLEX ACCENT}"
        return update.term(hat, formula, average / (1 - share**update.step))

    def work_adam(self, update: Update, *, apart: bool, amsgrad: bool) -> None:
        """The terms of Adam and AdamW."""
        (first, second), lr = self.begin(update, apart=apart), update.settings["lr"]
        mean = update.average("m", "exp_avg", first)
        square, symbol = update.average("v", "exp_avg_sq", second, squared=True), "v"
        if amsgrad:
            largest = torch.maximum(update.kept("max_exp_avg_sq"), square)
            square, symbol = update.term("u", "max(u, v)", largest), "u"
        mean = self.corrected(update, "m", mean, first)
        square = self.corrected(update, symbol, square, second)
        hat = "\N{COMBINING CIRCUMFLEX ACCENT}"
        formula = f"{lr:g} m{hat} / (√{symbol}{hat} + {self.eps:g})"
        update.move(formula, lr * mean / (square.sqrt() + self.eps))


class Adam(AdamLike, kind="adam"):
    """Adam: adaptive moment estimation (Kingma and Ba 2014)."""

    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    amsgrad: bool = False
    """Use the AMSGrad variant (Reddi et al. 2018)."""
    decoupled_weight_decay: bool = False
    """Decouple the weight decay from the gradient, as in adamw."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adam(groups, fused=fused, **self.arguments())

    def work(self, update: Update) -> None:
        self.work_adam(update, apart=self.decoupled_weight_decay, amsgrad=self.amsgrad)

    def numbers_kept(self) -> int:
        return 2 + self.amsgrad  # maxima of the averages


class AdamW(AdamLike, kind="adamw"):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017)."""

    decouples_decay = True

    weight_decay: NonNegativeFloat = 1e-2
    """Decoupled weight decay: shrinks weights by lr * weight_decay in each step."""
    amsgrad: bool = False
    """Use the AMSGrad variant (Reddi et al. 2018)."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.AdamW(groups, fused=fused, **self.arguments())

    def work(self, update: Update) -> None:
        self.work_adam(update, apart=True, amsgrad=self.amsgrad)

    def numbers_kept(self) -> int:
        return 2 + self.amsgrad


class Adamax(AdamLike, kind="adamax"):
    """Adamax: Adam with the infinity norm (Kingma and Ba 2014)."""

    lr: PositiveFloat = 2e-3
    """Learning rate."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adamax(groups, **self.arguments())

    def work(self, update: Update) -> None:
        (first, second), lr = self.begin(update, apart=False), update.settings["lr"]
        mean = update.average("m", "exp_avg", first)
        largest = torch.maximum(second * update.kept("exp_inf"), update.gradient.abs() + self.eps)
        formula = f"max({second:g} u, |{update.symbol}| + {self.eps:g})"
        largest = update.term("u", formula, largest)
        mean = self.corrected(update, "m", mean, first)
        update.move(f"{lr:g} {update.terms[-1].symbol} / u", lr * mean / largest)


class NAdam(AdamLike, kind="nadam"):
    """NAdam: Adam with Nesterov momentum (Dozat 2016)."""

    state_shares = ("mu_product",)

    lr: PositiveFloat = 2e-3
    """Learning rate."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    momentum_decay: NonNegativeFloat = 4e-3
    """Momentum decay."""
    decoupled_weight_decay: bool = False
    """Decouple the weight decay from the gradient, as in adamw."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.NAdam(groups, **self.arguments())

    def work(self, update: Update) -> None:
        apart = self.decoupled_weight_decay
        (first, second), lr = self.begin(update, apart=apart), update.settings["lr"]
        mean = update.average("m", "exp_avg", first)
        square = update.average("v", "exp_avg_sq", second, squared=True)
        square = self.corrected(update, "v", square, second)
        now, then = (
            first * (1 - 0.5 * 0.96 ** (step * self.momentum_decay))
            for step in (update.step, update.step + 1)
        )
        product = float(update.state.get("mu_product", 1.0)) * now
        shares = then / (1 - product * then), (1 - now) / (1 - product)
        ahead = shares[0] * mean + shares[1] * update.gradient
        formula = f"{shares[0]:g} m + {shares[1]:g} {update.symbol}"
        ahead = update.term("n", formula, ahead)
        hat = update.terms[-2].symbol
        update.move(f"{lr:g} n / (√{hat} + {self.eps:g})", lr * ahead / (square.sqrt() + self.eps))


class RAdam(AdamLike, kind="radam"):
    """RAdam: rectifies the variance of Adam's first steps (Liu et al. 2019)."""

    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    decoupled_weight_decay: bool = False
    """Decouple the weight decay from the gradient, as in adamw."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.RAdam(groups, **self.arguments())

    def work(self, update: Update) -> None:
        apart = self.decoupled_weight_decay
        (first, second), lr = self.begin(update, apart=apart), update.settings["lr"]
        mean = update.average("m", "exp_avg", first)
        square = update.average("v", "exp_avg_sq", second, squared=True)
        mean = self.corrected(update, "m", mean, first)
        hat, left = update.terms[-1].symbol, 1 - second**update.step
        longest = 2 / (1 - second) - 1
        length = longest - 2 * update.step * second**update.step / left
        if length <= 5:  # too few steps for the variance to be known
            update.move(f"{lr:g} {hat}", lr * mean)
            return
        ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        factor = (ratio * left) ** 0.5
        formula = f"{lr:g} · {factor:g} {hat} / (√v + {self.eps:g})"
        update.move(formula, lr * factor * mean / (square.sqrt() + self.eps))
