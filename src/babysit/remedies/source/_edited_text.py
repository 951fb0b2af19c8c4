"""EditedText: the text of a script, with what remedies write into it."""

from __future__ import annotations

from babysit.remedies.source._activations import (
    write_activation,
    write_linear_output,
    write_loss,
    write_remove_sigmoid,
    write_remove_softmax,
    write_sigmoid_output,
    write_softmax_axis,
)
from babysit.remedies.source._edits import Edits
from babysit.remedies.source._layers import (
    write_dropout,
    write_insert_activation,
    write_insert_batch_norm,
    write_move_batch_norm,
)
from babysit.remedies.source._loop import (
    write_batch_size,
    write_call_step,
    write_clear_gradients,
    write_clip_norm,
    write_constant_schedule,
    write_epochs,
    write_evaluation_mode,
    write_flip_sign,
    write_match_shapes,
    write_shuffle,
    write_train_mode,
)
from babysit.remedies.source._optimizer import (
    Wanted,
    write_all_parameters,
    write_lr,
    write_optimizer,
    write_unfreeze,
    write_weight_decay,
)


class EditedText:
    """The text of a script, with what remedies write into it; see `ScriptText`. Each method tells if it was certain.

    Args:
        edits: Where edits are gathered.
        wanted: All remedies that are wanted, by name, with their values.
    """

    def __init__(self, edits: Edits, wanted: Wanted) -> None:
        self._edits, self._wanted = edits, wanted

    def set_rate(self, value: str) -> bool:
        return write_lr(self._edits, value, self._wanted)

    def set_weight_decay(self, value: str) -> bool:
        return write_weight_decay(self._edits, value, self._wanted)

    def set_optimizer(self, kind: str) -> bool:
        return write_optimizer(self._edits, kind, self._wanted)

    def give_all_parameters(self) -> bool:
        return write_all_parameters(self._edits, "", self._wanted)

    def unfreeze(self) -> bool:
        return write_unfreeze(self._edits, "", self._wanted)

    def call_step(self) -> bool:
        return write_call_step(self._edits, "", self._wanted)

    def clear_gradients(self) -> bool:
        return write_clear_gradients(self._edits, "", self._wanted)

    def clip_norm(self, value: str) -> bool:
        return write_clip_norm(self._edits, value, self._wanted)

    def flip_sign(self) -> bool:
        return write_flip_sign(self._edits, "", self._wanted)

    def keep_rate(self) -> bool:
        return write_constant_schedule(self._edits, "", self._wanted)

    def set_epochs(self, value: str) -> bool:
        return write_epochs(self._edits, value, self._wanted)

    def set_batch_size(self, value: str) -> bool:
        return write_batch_size(self._edits, value, self._wanted)

    def shuffle(self) -> bool:
        return write_shuffle(self._edits, "", self._wanted)

    def set_dropout(self, value: str) -> bool:
        return write_dropout(self._edits, value, self._wanted)

    def set_activation(self, value: str) -> bool:
        return write_activation(self._edits, value, self._wanted)

    def set_softmax_axis(self) -> bool:
        return write_softmax_axis(self._edits, "", self._wanted)

    def sigmoid_output(self) -> bool:
        return write_sigmoid_output(self._edits, "", self._wanted)

    def linear_output(self) -> bool:
        return write_linear_output(self._edits, "", self._wanted)

    def remove_softmax(self) -> bool:
        return write_remove_softmax(self._edits, "", self._wanted)

    def remove_sigmoid(self) -> bool:
        return write_remove_sigmoid(self._edits, "", self._wanted)

    def set_loss(self, value: str) -> bool:
        return write_loss(self._edits, value, self._wanted)

    def insert_activation(self, value: str) -> bool:
        return write_insert_activation(self._edits, value, self._wanted)

    def insert_batch_norm(self) -> bool:
        return write_insert_batch_norm(self._edits, "", self._wanted)

    def remove_last_norm(self) -> bool:
        return write_move_batch_norm(self._edits, "", self._wanted)

    def match_shapes(self) -> bool:
        return write_match_shapes(self._edits, "", self._wanted)

    def train_mode(self) -> bool:
        return write_train_mode(self._edits, "", self._wanted)

    def evaluation_mode(self) -> bool:
        return write_evaluation_mode(self._edits, "", self._wanted)
