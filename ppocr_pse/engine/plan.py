"""The plan of a run: when to evaluate, save and end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What a run does at which step and epoch.

    Attributes:
        epochs: the loop runs epochs 1 to this one.
        eval_start: evaluate only after this step.
        eval_every: evaluate every so many steps from there; 0 never.
        eval_every_epochs: evaluate after every so many epochs; 0 never.
        save_every_epochs: keep ``iter_epoch_N`` every so many epochs.
        save_every_steps: write ``latest`` every so many steps, besides the end of each epoch; 0 never.
        keep_last: how many ``iter_epoch_N`` to keep; 0 all.
        max_steps: stop after this step; 0 at the end of the last epoch.
        main_indicator: figure that chooses the best model.
        accumulate_steps: batches whose gradients make one optimizer step.
        loss_is_mean: whether the loss is a mean over its batch, so that accumulated batches are averaged, not summed.
        evaluate_raw: evaluate the trained weights beside their average, when there is one.
        seed: start of the random numbers of every step.
    """

    epochs: int
    eval_start: int = 0
    eval_every: int = 0
    eval_every_epochs: int = 0
    save_every_epochs: int = 1
    save_every_steps: int = 0
    keep_last: int = 0
    max_steps: int = 0
    main_indicator: str = "hmean"
    accumulate_steps: int = 1
    loss_is_mean: bool = False
    evaluate_raw: bool = True
    seed: int = 0

    def evaluation_due(self, step: int) -> bool:
        """Whether to evaluate after a step."""
        return self.eval_every > 0 and step > self.eval_start and (step - self.eval_start) % self.eval_every == 0

    def epoch_evaluation_due(self, epoch: int) -> bool:
        """Whether to evaluate after an epoch, by the epochs named and because it is the last one."""
        return epoch == self.epochs or (self.eval_every_epochs > 0 and epoch % self.eval_every_epochs == 0)

    def latest_due(self, step: int) -> bool:
        """Whether to write ``latest`` after a step."""
        return self.save_every_steps > 0 and step % self.save_every_steps == 0

    def keep_due(self, epoch: int) -> bool:
        """Whether to keep ``iter_epoch_N`` after an epoch."""
        return epoch % max(1, self.save_every_epochs) == 0

    def step_limit(self, step: int) -> bool:
        """Whether a step is the last one, whatever the epoch."""
        return 0 < self.max_steps <= step
