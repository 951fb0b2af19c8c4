"""The one table of remedies: what findings recommend, and what a recipe, objects and a script understand."""

from __future__ import annotations

REMEDIES: dict[str, str] = {
    "activation": "use another activation: activation=relu",
    "batch-size": "use another number of rows a batch: batch-size=64",
    "bias-prior": "start the output biases at what the targets are on average",
    "call-step": "call the optimizer's step after backward",
    "centre-inputs": "subtract each feature's mean, taken from the training rows",
    "class-weights": "weigh each class by the inverse of its share",
    "clear-gradients": "clear the gradients before each backward pass",
    "clip-norm": "clip the gradient's length: clip-norm=1",
    "constant-schedule": "keep the learning rate constant",
    "drop-constant-features": "leave out features without variance",
    "dropout": "another dropout: dropout=0",
    "epochs": "train for more epochs: epochs=50",
    "evaluation-mode": "call eval() before evaluating",
    "flip-sign": "make the loss small, not large",
    "impute-inputs": "replace missing and infinite inputs by the feature's mean",
    "initialise": "initialise the weights by another scheme: initialise=he",
    "insert-activation": "put an activation between linear layers: insert-activation=relu",
    "insert-batch-norm": "put batch normalisation after each weighted layer but the last",
    "linear-output": "take the activation off the outputs",
    "loss": "use another loss: loss=cross-entropy",
    "lr": "another learning rate: lr=0.001",
    "match-shapes": "give outputs and targets one shape",
    "move-batch-norm": "take batch normalisation off the outputs",
    "optimise-all-parameters": "give the optimizer every parameter, once",
    "optimizer": "another optimizer: optimizer=adam",
    "recalibrate-batch-norm": "take batch normalisation's running statistics again from the training rows",
    "remove-sigmoid": "take the sigmoid off the outputs: the loss applies it",
    "remove-softmax": "take the softmax off the outputs: the loss applies it",
    "scale-inputs": "scale the inputs to the range 0 to 1",
    "shuffle": "shuffle the training rows every epoch",
    "sigmoid-output": "a sigmoid instead of a softmax over one output",
    "softmax-axis": "take the softmax over the classes, not over the rows",
    "standardise-inputs": "subtract each feature's mean and divide by its standard deviation, from the training rows",
    "standardise-targets": "learn standardised targets; undo it in the answers",
    "stop-earlier": "keep the weights of the best validation loss",
    "train-mode": "call train() before training",
    "unfreeze": "let gradients reach every parameter",
    "weight-decay": "another weight decay: weight-decay=0.01",
    "wider": "more units a layer: wider=2 doubles them",
}

# What a rehearsal alone understands: changes that find something out and cure nothing.
INTERVENTIONS: dict[str, str] = {
    "lr-sweep": "the learning rate from one value to another by a constant factor a step: lr-sweep=1e-7:10:100",
    "lr-times": "the learning rate times a factor: lr-times=10",
    "tiny-batch": "the same few rows at every step: tiny-batch=20",
}
