"""What to write into a script for a remedy, in a line each: the script's own line as it will be, or in words."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Callable, Iterable, Sequence

import libcst as cst

from babysit.record import REMEDIES, Remedy
from babysit.remedies.source import (
    LOADERS,
    Code,
    Place,
    Wanted,
    epoch_loop,
    losses,
    made_losses,
    makes_network,
    module_classes,
    optimizer_calls,
)
from babysit.scripts._script import Script
from babysit.scripts.patches._files import File, beside, file_of
from babysit.scripts.patches._writers import is_apart, write_all, written

LINE_END = re.compile(r"\r\n|\r|\n")
# What is written at one place together, so that each one's line shows the others', too.
OF_THE_OPTIMIZER = frozenset({"lr", "optimise-all-parameters", "optimizer", "weight-decay"})

# Where to begin to look, where no line is sure.
Places = Callable[[Code], Iterable[cst.CSTNode]]
HE = 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")'
SCHEMES = {"he": HE, "he-normal": HE, "xavier": "nn.init.xavier_normal_(layer.weight)",
           "orthogonal": "nn.init.orthogonal_(layer.weight)"}  # fmt: skip


def _loop(code: Code) -> list[cst.CSTNode]:
    found = epoch_loop(code)
    return [found] if found is not None else []


def _networks(code: Code) -> list[cst.CSTNode]:
    made = [node for node in code.every(cst.Assign) if makes_network(code, node.value)]
    whole = [node for node in made if all(isinstance(one.target, cst.Name) for one in node.targets)]
    return list(whole or made or module_classes(code))


def _losses(code: Code) -> list[cst.CSTNode]:
    made = [call for call, _ in made_losses(code)]
    return list(made or [call for call, _ in losses(code)])


def _backwards(code: Code) -> list[cst.CSTNode]:
    return list(code.methods("backward"))


def _steps(code: Code) -> list[cst.CSTNode]:
    return list(code.methods("step"))


def _evaluations(code: Code) -> list[cst.CSTNode]:
    return list(code.calls_of({"torch.no_grad", "torch.inference_mode"}))


def _loaders(code: Code) -> list[cst.CSTNode]:
    return list(code.calls_of(LOADERS))


def _initialisations(code: Code) -> list[cst.CSTNode]:
    return [call for call in code.calls() if code.dotted(call.func).startswith("torch.nn.init.")] or _networks(code)


def _optimizers(code: Code) -> list[cst.CSTNode]:
    return list(optimizer_calls(code))


STATISTICS = "with the training rows' numbers for the other rows, too"
# Of each remedy that scripts take: where to look, and what to write; {value} is the remedy's own.
GENERAL: dict[str, tuple[Places, str]] = {
    "activation": (_networks, "in the network, between its layers: {value} in the place of the activations there"),
    "batch-size": (_loaders, "where batches are made: {value} rows in each, as in DataLoader(..., batch_size={value})"),
    "call-step": (_backwards, "after the backward pass: optimizer.step(), and before it optimizer.zero_grad()"),
    "centre-inputs": (_loop, f"before the training loop: inputs = inputs - inputs_train.mean(0), {STATISTICS}"),
    "class-weights": (_losses, "where the loss is made: weight=rows / (classes * counts), "
                               "with counts = torch.bincount(targets_train)"),
    "clear-gradients": (_backwards, "before each backward pass: optimizer.zero_grad()"),
    "clip-norm": (_steps, "between the backward pass and the step: "
                          "torch.nn.utils.clip_grad_norm_(model.parameters(), {value})"),
    "constant-schedule": (_optimizers, "leave out the schedule's step(), so that the rate stays what it was made with"),
    "dropout": (_networks, "in the network: nn.Dropout({value}) wherever it has one"),
    "epochs": (_loop, "in the loop over epochs: range({value})"),
    "evaluation-mode": (_evaluations, "before evaluating: model.eval(), and before training goes on: model.train()"),
    "flip-sign": (_backwards, "a loss that is to become small: without the minus before it, or (-loss).backward()"),
    "impute-inputs": (_loop, "before the training loop: inputs = torch.where(inputs.isfinite(), inputs, mean), "
                             f"with the mean of each feature's finite numbers, {STATISTICS}"),
    "initialise": (_initialisations, "once the network is made: for each layer with weights {value}"),
    "insert-activation": (_networks, "in the network: {value} behind each layer with weights but the last"),
    "insert-batch-norm": (_networks, "in the network: nn.BatchNorm1d(units), or nn.BatchNorm2d(channels), between each "
                                     "layer with weights and its activation, but not behind the last layer"),
    "linear-output": (_networks, "in the network: no activation on what it gives back"),
    "loss": (_losses, "{value} as the loss, with outputs and targets as it takes them"),
    "lr": (_optimizers, "where the optimizer is made: lr={value}"),
    "match-shapes": (_losses, "before the loss: targets = targets.reshape(outputs.shape)"),
    "move-batch-norm": (_networks, "in the network: no batch normalisation behind the last layer"),
    "optimise-all-parameters": (_optimizers, "where the optimizer is made: model.parameters(), all of them, once"),
    "optimizer": (_optimizers, "where the optimizer is made: {value}"),
    "remove-sigmoid": (_losses, "the loss is to be given what enters the sigmoid: nn.BCEWithLogitsLoss() applies it; "
                                "apply torch.sigmoid where answers are read"),
    "remove-softmax": (_losses, "the loss is to be given what enters the softmax: nn.CrossEntropyLoss() applies it; "
                                "apply softmax(1) where answers are read"),
    "scale-inputs": (_loop, "before the training loop: inputs = (inputs - low) / (high - low), with low and high from "
                            f"inputs_train.aminmax(dim=0), {STATISTICS}"),
    "shuffle": (_loaders, "the training rows in another order every epoch: DataLoader(..., shuffle=True), "
                          "or torch.randperm(rows)"),
    "sigmoid-output": (_networks, "in the network: torch.sigmoid in the place of the softmax over one output"),
    "softmax-axis": (_networks, "in the network: softmax over the classes, dim=1 (dim=-1 of sequences)"),
    "standardise-inputs": (_loop, "before the training loop: inputs = (inputs - inputs_train.mean(0)) / "
                                  f"inputs_train.std(0), {STATISTICS}"),
    "standardise-targets": (_loop, "before the training loop: targets = (targets - mean) / std, with mean and std of "
                                   "targets_train; answers are outputs * std + mean"),
    "train-mode": (_backwards, "before the batches of an epoch: model.train()"),
    "unfreeze": (_networks, "before the optimizer is made: model.requires_grad_(True); and give it model.parameters()"),
    "weight-decay": (_optimizers, "where the optimizer is made: weight_decay={value}"),
}  # fmt: skip
VALUES = {
    "optimizer": {"adagrad": "torch.optim.Adagrad", "adam": "torch.optim.Adam", "adamw": "torch.optim.AdamW",
                  "rmsprop": "torch.optim.RMSprop", "sgd": "torch.optim.SGD with momentum=0.9"},
    "loss": {"bce": "nn.BCELoss()", "bce-with-logits": "nn.BCEWithLogitsLoss()", "huber": "nn.HuberLoss()",
             "cross-entropy": "nn.CrossEntropyLoss()", "l1": "nn.L1Loss()", "mse": "nn.MSELoss()",
             "nll": "nn.NLLLoss()"},
    "initialise": SCHEMES,
}  # fmt: skip
USUAL = {"activation": "relu", "insert-activation": "relu", "initialise": "he"}


def advice_for(script: Script, remedies: Sequence[Remedy]) -> tuple[str, ...]:
    """What to write for each remedy, in a line, with file and line where they can be found.

    Args:
        script: Read, with the modules beside it that it imports; nothing is run.
        remedies: In the order of the answer.

    Raises:
        InputError: The script cannot be read.

    Example:
        >>> import tempfile
        >>> text = "import torch\\nnet = torch.nn.Linear(2, 1)\\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "train.py")
        ...     _ = path.write_text(text)
        ...     advice_for(Script(str(path)), [Remedy("lr", "0.01")])
        ('train.py:3: opt = torch.optim.SGD(net.parameters(), lr=0.01)',)
    """
    file = file_of(script)
    files = [file, *beside(file)]
    wanted = {remedy.name: remedy.value for remedy in remedies}
    return tuple(_advice(files, remedy, wanted, remedies) for remedy in remedies)


def _advice(files: Sequence[File], remedy: Remedy, wanted: Wanted, remedies: Sequence[Remedy]) -> str:
    asked = remedy
    made = any(optimizer_calls(one.code) for one in files)
    if remedy.name in OF_THE_OPTIMIZER and "call-step" in wanted and not made:
        asked = Remedy("call-step")  # which makes one, with all that is wanted of it
    for file in files:
        edited = None if is_apart(remedy, wanted) else written(file.code, asked, wanted)
        if edited is not None:
            places = edited.places if asked is remedy else edited.places[:1]
            return _told(file, files[0], places, *_together(file.code, remedy, edited.code, places, remedies))
    where, text = GENERAL.get(remedy.name, (_loop, REMEDIES.get(remedy.name, str(remedy))))
    value = remedy.value or USUAL.get(remedy.name, "")
    line = text.replace("{value}", VALUES.get(remedy.name, {}).get(value, value))
    for file in files:
        lines = sorted({file.code.line(node) for node in where(file.code)})
        if lines:
            return f"{_name(file, files[0])}:{', '.join(map(str, lines))}: {line}"
    return line


def _together(
    before: Code, remedy: Remedy, after: Code, places: Sequence[Place], remedies: Sequence[Remedy]
) -> tuple[Code, Sequence[Place]]:
    """The text after a remedy and those that are written into the same call; where it is itself."""
    family = [one for one in remedies if one.name in OF_THE_OPTIMIZER]
    if remedy.name not in OF_THE_OPTIMIZER or len(family) < 2:  # itself and another
        return after, places
    whole, changes = write_all(before, family)
    mine = next((change.places for change in changes if change.remedy == remedy), ())
    same = len(mine) == len(places) and len(LINE_END.findall(whole.text)) == len(LINE_END.findall(before.text))
    return (whole, mine) if same else (after, places)


def _told(file: File, script: File, places: Sequence[Place], after: Code, now: Sequence[Place]) -> str:
    lines = LINE_END.split(after.text)
    found: dict[str, list[int]] = {}
    for place, seen in sorted(zip(places, now, strict=True), key=lambda pair: after.line(pair[1].now)):
        line = place.say or lines[after.line(seen.now) - 1].strip()
        number = file.code.line(place.was)
        if number not in found.setdefault(line, []):
            found[line].append(number)
    name = _name(file, script)
    return "; ".join(f"{name}:{', '.join(map(str, numbers))}: {line}" for line, numbers in found.items())


def _name(file: File, script: File) -> str:
    """Its name, or the path to it from the script's folder."""
    return pathlib.PurePath(os.path.relpath(file.path.resolve(), script.path.resolve().parent)).as_posix()
