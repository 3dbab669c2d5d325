"""From the gradients of a loss to new weights: penalties, clipping and the optimizer, as terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnctl.optim.regularizers import penalized
from cnnctl.optim.working import Term, Update
from cnnctl.tracing.facts import Clipping, Penalty, StepFacts, WeightFacts
from cnnctl.tracing.layers import described
from cnnctl.tracing.recording import parts
from cnnctl.training.run import Run


@dataclass(slots=True)
class Snapshot:
    """The parameters and the optimizer's state before a step."""

    weights: dict[str, Tensor]
    states: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, run: Run) -> Snapshot:
        """Copy them."""
        named = dict(run.network.named_parameters())
        weights = {name: weight.detach().clone() for name, weight in named.items()}
        states = {
            name: {key: _copied(kept) for key, kept in run.optimizer.state.get(weight, {}).items()}
            for name, weight in named.items()
        }
        return cls(weights, states)


def _copied(kept: Any) -> Any:
    return kept.clone() if isinstance(kept, Tensor) else kept


def penalties(run: Run, weights: Mapping[str, Tensor]) -> Iterator[Penalty]:
    """What the penalties of these weights add to the loss."""
    settings = run.experiment.regularization
    chosen = [weights[name] for name in _penalized_names(run)]
    if settings.l1:
        value = settings.l1 * sum(float(weight.abs().sum()) for weight in chosen)
        yield Penalty("l1", f"{settings.l1:g} Σ |W|", value)
    if settings.l2:
        value = settings.l2 / 2 * sum(float((weight**2).sum()) for weight in chosen)
        yield Penalty("l2", f"{settings.l2:g} / 2 Σ W²", value)


def _penalized_names(run: Run) -> list[str]:
    chosen = set(map(id, penalized(run.network, run.experiment.regularization.penalize)))
    return [name for name, weight in run.network.named_parameters() if id(weight) in chosen]


@dataclass(slots=True)
class Working:
    """From gradients of the loss to new weights."""

    run: Run
    before: Snapshot
    gradients: Mapping[str, Tensor]

    def fill(self, facts: StepFacts) -> None:
        """Add clipping and weights to the facts of a step."""
        added = {name: self._penalty_terms(name) for name in self.gradients}
        whole = {
            name: terms[-1].value if terms else self.gradients[name]
            for name, terms in added.items()
        }
        facts.clippings = self._clip(added, whole)
        letters = {
            f"{name}.{parameter}": (name, letter) for name, parameter, letter in _letters(self.run)
        }
        averages = dict(self._averages())
        for name, weight in self.run.network.named_parameters():
            layer, letter = letters.get(name, (name.rpartition(".")[0], name.rpartition(".")[2]))
            terms = added.get(name, [])
            symbol = terms[-1].symbol if terms else "dW"
            worked = self._worked(name, weight, whole.get(name), symbol)
            facts.weights.append(
                WeightFacts(
                    layer=layer,
                    letter=letter,
                    gradient=self.gradients.get(name),
                    added=terms,
                    before=self.before.weights[name],
                    after=weight.detach().clone(),
                    terms=worked,
                    average=averages.get(name),
                )
            )

    def _penalty_terms(self, name: str) -> list[Term]:
        """What the penalties add to the gradient of this weight."""
        settings, weight = self.run.experiment.regularization, self.before.weights[name]
        if not (settings.l1 or settings.l2) or name not in _penalized_names(self.run):
            return []
        terms, symbols, total = list[Term](), ["dW"], self.gradients[name]
        if settings.l1:
            terms.append(Term("l1", f"{settings.l1:g} sign(W)", settings.l1 * weight.sign()))
        if settings.l2:
            terms.append(Term("l2", f"{settings.l2:g} W", settings.l2 * weight))
        for term in terms:
            symbols.append(term.symbol)
            total = total + term.value
        return [*terms, Term("g", " + ".join(symbols), total)]

    def _clip(self, added: dict[str, list[Term]], whole: dict[str, Tensor]) -> list[Clipping]:
        """Clip the gradients as training does: each value, then all by their norm."""
        settings, found = self.run.experiment.regularization, list[Clipping]()
        if (most := settings.clip_value) is not None and whole:
            largest = max(float(gradient.abs().max()) for gradient in whole.values())
            formula = f"min(max(-{most:g}, {{}}), {most:g})"
            found.append(Clipping(f"every value within ±{most:g}", largest, None))
            for name, gradient in whole.items():
                self._add(name, added, whole, formula, gradient.clamp(-most, most))
        if (most := settings.clip_norm) is not None and whole:
            norm = float(torch.stack([gradient.norm() for gradient in whole.values()]).norm())
            factor = min(1.0, most / (norm + 1e-6))  # as torch's clip_grad_norm_
            formula = f"min(1, {most:g} / norm of all gradients)"
            found.append(Clipping(formula, norm, factor))
            for name, gradient in whole.items():
                self._add(name, added, whole, f"{factor:.4g} {{}}", factor * gradient)
        return found

    def _add(
        self,
        name: str,
        added: dict[str, list[Term]],
        whole: dict[str, Tensor],
        formula: str,
        value: Tensor,
    ) -> None:
        symbol = added[name][-1].symbol if added[name] else "dW"
        added[name].append(Term("g", formula.format(symbol), value))
        whole[name] = value

    def _averages(self) -> Iterator[tuple[str, Term]]:
        """The averages of the weights, of which the step has just counted itself."""
        average, step = self.run.average, self.run.counters.step - 1
        if average is not None:
            formula = average.formula(step=step)
            for name, weight in average.network.named_parameters():
                yield name, Term(average.symbol, formula, weight.detach().clone())

    def _worked(
        self, name: str, weight: nn.Parameter, gradient: Tensor | None, symbol: str
    ) -> Sequence[Term]:
        """The terms of the optimizer for a weight that it moves."""
        pairs = zip(self.run.optimizer.param_groups, self.run.groups, strict=True)
        own = [pair for pair in pairs if any(weight is each for each in pair[1].parameters)]
        if gradient is None or not own:
            return ()
        settings, group = own[0]
        before = self.before.weights[name]
        update = Update(before, gradient, settings, self.before.states[name], symbol)
        group.optimizer.work(update)
        return update.terms


def _letters(run: Run) -> Iterator[tuple[str, str, str]]:
    """Each module with parameters, the name of a parameter in it, and its letter."""
    for _, name, layer, module in parts(run.network, run.plan):
        about = described(module, layer)
        for parameter, _ in module.named_parameters(recurse=False):
            yield name, parameter, about.letters.get(parameter, parameter)
