"""Member: a trial with all that training it further needs, and how it is kept as bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from babysit.record import RunFolderError, Trial, TrialScore, from_json, to_json
from babysit.training._batches import batches_per_epoch
from babysit.training._step import Plateau
from babysit.training._trial_rules import Course

MEMBER_SCHEMA = 2
_GROUPS = ("network", "optimizer", "best")
_Layout = tuple[tuple[str, str, str, tuple[int, ...]], ...]  # of a member's tensors: group, name, type and shape


@dataclass
class Member:
    """A trial where it stands, between two steps.

    Attributes:
        trial: What it is.
        network: Parameters and buffers by name.
        optimizer: State by `KEY/PARAMETER`, such as `exp_avg/output.weight`; empty before the first step.
        best: Parameters and buffers of the best epoch; only where its recipe stops early, and after an epoch.
        random: State of the stream that dropout draws from, within an epoch; None at its beginning.
        course: Steps taken and their losses.
        plateau: Memory of the plateau schedule.
        best_loss: Lowest validation loss of an epoch.
        best_epoch: The epoch that reached it; -1 before the first.
        seconds: Its share of the time so far.
        score: The last one.
    """

    trial: Trial
    network: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    random: Tensor | None = None
    course: Course = field(default_factory=Course)
    plateau: Plateau = field(default_factory=Plateau)
    best_loss: float = math.inf
    best_epoch: int = -1
    seconds: float = 0.0
    score: TrialScore | None = None

    @property
    def kept(self) -> dict[str, Tensor]:
        """The weights that answer: the best ones once patience ended it, else the present ones."""
        return self.best if self.course.ended == "stopped" and self.best else self.network

    @property
    def watches_epochs(self) -> bool:
        """Whether each epoch's validation loss decides anything."""
        recipe = self.trial.recipe
        return bool(recipe.budget.patience) or recipe.schedule.name == "plateau"

    @property
    def failed(self) -> bool:
        """Whether it can never be trained on."""
        return self.course.ended in ("diverged", "exploded")

    def steps_per_epoch(self, train_rows: int) -> int:
        """Batches of an epoch."""
        assert self.trial.recipe.budget.batch_size is not None
        return batches_per_epoch(train_rows, self.trial.recipe.budget.batch_size)

    def steps(self, train_rows: int) -> int:
        """Of its whole budget."""
        assert self.trial.recipe.budget.epochs is not None
        return self.trial.recipe.budget.epochs * self.steps_per_epoch(train_rows)

    def compact(self) -> None:
        """Hold no more memory than its own: after a stack its tensors are views of what all members shared."""
        for group in (self.network, self.optimizer):
            for name, value in group.items():
                if value.untyped_storage().nbytes() > value.nbytes:
                    group[name] = value.clone()

    def epoch_ended(self, epoch: int, loss: float, weights: dict[str, Tensor]) -> None:
        """Remember the best weights, lower the rate, or stop, as the recipe says.

        Args:
            epoch: Its number, from 0.
            loss: Validation loss after it.
            weights: As they are now; copied where they are the best.
        """
        recipe = self.trial.recipe
        if recipe.budget.patience and loss < self.best_loss:
            self.best = {name: value.clone() for name, value in weights.items()}
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
        self.plateau.epoch_ended(loss, recipe.schedule)
        patience = recipe.budget.patience
        if patience and epoch - self.best_epoch >= patience and not self.course.ended:
            self.course.ended = "stopped"


def pack_members(members: Iterable[Member], settings: dict[str, Any]) -> bytes:
    """Members as the bytes of a safetensors file, with plain JSON `settings` beside them.

    The tensors of all lie end to end, one array for each type of number: a search keeps thousands of small ones, and
    each would cost the file's library 0.1 ms.
    """
    pieces: dict[str, list[Tensor]] = {}
    layouts: dict[_Layout, int] = {}
    plain: list[dict[str, Any]] = []
    for member in members:
        own = [(kind, name, value) for kind in _GROUPS for name, value in getattr(member, kind).items()]
        if member.random is not None:
            own.append(("random", "", member.random))
        for _, _, value in own:
            pieces.setdefault(_type_name(value), []).append(value.detach().cpu().reshape(-1))
        layout = tuple((kind, name, _type_name(value), tuple(value.shape)) for kind, name, value in own)
        plain.append(
            {
                "trial": to_json(member.trial),
                "course": asdict(member.course),
                "plateau": asdict(member.plateau),
                "best_loss": member.best_loss,
                "best_epoch": member.best_epoch,
                "seconds": member.seconds,
                "score": None if member.score is None else asdict(member.score),
                "layout": layouts.setdefault(layout, len(layouts)),
            }
        )
    metadata = {
        "schema": str(MEMBER_SCHEMA),
        "members": json.dumps(plain),
        "layouts": json.dumps([*layouts]),
        "settings": json.dumps(settings),
    }
    return safetensors.torch.save({name: torch.cat(values) for name, values in pieces.items()}, metadata)


def unpack_members(state: bytes, device: torch.device) -> tuple[list[Member], dict[str, Any]]:
    """What `pack_members` was given.

    Raises:
        RunFolderError: The bytes are damaged, or of another version.
    """
    try:
        tensors = safetensors.torch.load(state)
        # The header alone, as safe_open reads files only: its length in eight bytes, then JSON.
        header = json.loads(state[8 : 8 + int.from_bytes(state[:8], "little")])["__metadata__"]
        if header["schema"] != str(MEMBER_SCHEMA):
            raise RunFolderError(f"the trials' state has schema {header['schema']}", legal=str(MEMBER_SCHEMA))
        layouts = json.loads(header["layouts"])
        used = dict.fromkeys(tensors, 0)
        members = []
        for content in json.loads(header["members"]):
            member = _unpacked(content)
            for kind, name, type_name, shape in layouts[content["layout"]]:
                begin = used[type_name]
                used[type_name] = end = begin + math.prod(shape)
                # A copy of its own: a member that is dropped takes no memory then.
                value = tensors[type_name][begin:end].reshape(shape).clone()
                if kind == "random":
                    member.random = value
                else:
                    getattr(member, kind)[name] = value.to(device)
            members.append(member)
        return members, json.loads(header["settings"])
    except (safetensors.SafetensorError, LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise RunFolderError(
            f"the trials' state is damaged: {error}", cause="the file was cut short or edited"
        ) from None


def _type_name(value: Tensor) -> str:
    return str(value.dtype).rpartition(".")[2]


def _unpacked(content: dict[str, Any]) -> Member:
    return Member(
        trial=from_json(Trial, content["trial"]),
        network={},
        course=Course(**content["course"]),
        plateau=Plateau(**content["plateau"]),
        best_loss=content["best_loss"],
        best_epoch=content["best_epoch"],
        seconds=content["seconds"],
        score=None if content["score"] is None else TrialScore(**content["score"]),
    )
