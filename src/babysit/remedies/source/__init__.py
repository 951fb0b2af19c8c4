"""Remedies written into the text of a script, which is kept byte for byte where they do not touch it.

What needs it imports it where it is needed: libcst takes a fifth of a second.
"""

from collections.abc import Callable

from babysit.remedies.source._activations import (
    write_activation,
    write_linear_output,
    write_loss,
    write_remove_sigmoid,
    write_remove_softmax,
    write_sigmoid_output,
    write_softmax_axis,
)
from babysit.remedies.source._code import Code, as_python, is_text, statements
from babysit.remedies.source._edits import Edited, Edits, Place
from babysit.remedies.source._layers import (
    write_dropout,
    write_insert_activation,
    write_insert_batch_norm,
    write_move_batch_norm,
)
from babysit.remedies.source._loop import (
    with_epochs,
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
from babysit.remedies.source._training import (
    LOADERS,
    epoch_loop,
    losses,
    made_losses,
    makes_network,
    module_classes,
    module_name,
    optimizer_calls,
)

Writer = Callable[[Edits, str, Wanted], bool]

# In the order in which they are written. Each answers with edits, or with None where it is not sure.
WRITERS: dict[str, Writer] = {
    "unfreeze": write_unfreeze,
    "optimise-all-parameters": write_all_parameters,
    "call-step": write_call_step,
    "optimizer": write_optimizer,
    "lr": write_lr,
    "weight-decay": write_weight_decay,
    "clear-gradients": write_clear_gradients,
    "clip-norm": write_clip_norm,
    "flip-sign": write_flip_sign,
    "constant-schedule": write_constant_schedule,
    "epochs": write_epochs,
    "batch-size": write_batch_size,
    "shuffle": write_shuffle,
    "dropout": write_dropout,
    "activation": write_activation,
    "softmax-axis": write_softmax_axis,
    "sigmoid-output": write_sigmoid_output,
    "linear-output": write_linear_output,
    "remove-softmax": write_remove_softmax,
    "remove-sigmoid": write_remove_sigmoid,
    "loss": write_loss,
    "insert-activation": write_insert_activation,
    "insert-batch-norm": write_insert_batch_norm,
    "move-batch-norm": write_move_batch_norm,
    "match-shapes": write_match_shapes,
    "train-mode": write_train_mode,
    "evaluation-mode": write_evaluation_mode,
}

__all__ = [
    "Code",
    "Edited",
    "Edits",
    "LOADERS",
    "Place",
    "WRITERS",
    "Wanted",
    "as_python",
    "epoch_loop",
    "is_text",
    "losses",
    "made_losses",
    "makes_network",
    "module_classes",
    "module_name",
    "optimizer_calls",
    "statements",
    "with_epochs",
]
