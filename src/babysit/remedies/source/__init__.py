"""Writing remedies into the text of a script. All bytes that a remedy does not change stay the same.

Importing this package takes 0.2 seconds because of libcst, so others import it inside the functions that need it.
"""

from babysit.remedies.source._activations import (
    reads_shares,
    write_activation,
    write_linear_output,
    write_loss,
    write_remove_sigmoid,
    write_remove_softmax,
    write_sigmoid_output,
    write_softmax_axis,
)
from babysit.remedies.source._code import Code, Elsewhere, as_python, called, is_text, statements
from babysit.remedies.source._edits import Edited, Edits, Place, Wanted
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
    write_all_parameters,
    write_lr,
    write_optimizer,
    write_unfreeze,
    write_weight_decay,
)
from babysit.remedies.source._rows import write_initialise, write_input_scaling
from babysit.remedies.source._training import (
    LOADERS,
    epoch_loop,
    loss_kinds,
    losses,
    made_losses,
    makes_network,
    module_classes,
    module_name,
    optimizer_calls,
)

__all__ = [
    "Code",
    "Edited",
    "Edits",
    "Elsewhere",
    "LOADERS",
    "Place",
    "Wanted",
    "as_python",
    "called",
    "epoch_loop",
    "is_text",
    "loss_kinds",
    "losses",
    "made_losses",
    "makes_network",
    "module_classes",
    "module_name",
    "optimizer_calls",
    "reads_shares",
    "statements",
    "with_epochs",
    "write_activation",
    "write_all_parameters",
    "write_batch_size",
    "write_call_step",
    "write_clear_gradients",
    "write_clip_norm",
    "write_constant_schedule",
    "write_dropout",
    "write_epochs",
    "write_evaluation_mode",
    "write_flip_sign",
    "write_initialise",
    "write_input_scaling",
    "write_insert_activation",
    "write_insert_batch_norm",
    "write_linear_output",
    "write_loss",
    "write_lr",
    "write_match_shapes",
    "write_move_batch_norm",
    "write_optimizer",
    "write_remove_sigmoid",
    "write_remove_softmax",
    "write_shuffle",
    "write_sigmoid_output",
    "write_softmax_axis",
    "write_train_mode",
    "write_unfreeze",
    "write_weight_decay",
]
