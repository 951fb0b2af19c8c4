"""ScriptText: what remedies can have written into the text of a script."""

from __future__ import annotations

from typing import Protocol


class ScriptText(Protocol):
    """The text of one script. Each method makes an edit, and says whether the right place for it was certain."""

    def set_rate(self, value: str) -> bool:
        """Give the optimizer another learning rate."""

    def set_weight_decay(self, value: str) -> bool:
        """Give the optimizer another weight decay."""

    def set_optimizer(self, kind: str) -> bool:
        """Make another kind of optimizer."""

    def give_all_parameters(self) -> bool:
        """Give the optimizer every parameter of the network."""

    def unfreeze(self) -> bool:
        """Let gradients reach every parameter."""

    def call_step(self) -> bool:
        """Call the optimizer's step after the backward pass."""

    def clear_gradients(self) -> bool:
        """Clear the gradients before the backward pass."""

    def clip_norm(self, value: str) -> bool:
        """Clip the gradient's norm."""

    def flip_sign(self) -> bool:
        """Take the minus away from the loss."""

    def keep_rate(self) -> bool:
        """Leave out the steps of the schedule."""

    def set_epochs(self, value: str) -> bool:
        """Train for another number of epochs."""

    def set_batch_size(self, value: str) -> bool:
        """Give the loader of training rows another batch size."""

    def shuffle(self) -> bool:
        """Let the loader shuffle the training rows."""

    def set_dropout(self, value: str) -> bool:
        """Give every dropout layer another share."""

    def set_activation(self, value: str) -> bool:
        """Use another activation between the layers."""

    def set_softmax_axis(self) -> bool:
        """Take the softmax over the classes."""

    def sigmoid_output(self) -> bool:
        """Put a sigmoid in the place of the softmax on the outputs."""

    def linear_output(self) -> bool:
        """Take the activation off the outputs."""

    def remove_softmax(self) -> bool:
        """Give the loss what enters the softmax."""

    def remove_sigmoid(self) -> bool:
        """Give the loss what enters the sigmoid."""

    def set_loss(self, value: str) -> bool:
        """Use another loss."""

    def insert_activation(self, value: str) -> bool:
        """Put an activation behind each weighted layer but the last."""

    def insert_batch_norm(self) -> bool:
        """Put batch normalisation behind each weighted layer but the last."""

    def remove_last_norm(self) -> bool:
        """Take batch normalisation off the outputs."""

    def match_shapes(self) -> bool:
        """Give outputs and targets one shape."""

    def train_mode(self) -> bool:
        """Call train() before training."""

    def evaluation_mode(self) -> bool:
        """Call eval() before evaluating."""
