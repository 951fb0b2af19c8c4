"""Hooks that measure a training. They never judge and never disturb; one quantity a file."""

from babysit.probes._budget import Budget
from babysit.probes._fence import Aside, Fence, unnoticed
from babysit.probes._inputs import InputProbe, first_tensor
from babysit.probes._interception import Listening, listen, stop_listening
from babysit.probes._layers import unwrapped
from babysit.probes._leaves import leaves_of
from babysit.probes._loss_facts import loss_facts
from babysit.probes._loss_probe import Heard, LossProbe, LossSeen
from babysit.probes._loss_tape import LossTape, is_replay
from babysit.probes._numbers import plain, readable
from babysit.probes._observer import Observer
from babysit.probes._pending import Pending
from babysit.probes._targets import TargetProbe

__all__ = [
    "Aside",
    "Budget",
    "Fence",
    "Heard",
    "InputProbe",
    "Listening",
    "LossProbe",
    "LossSeen",
    "LossTape",
    "Observer",
    "Pending",
    "TargetProbe",
    "first_tensor",
    "is_replay",
    "leaves_of",
    "listen",
    "loss_facts",
    "plain",
    "readable",
    "stop_listening",
    "unnoticed",
    "unwrapped",
]
