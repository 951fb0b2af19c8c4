"""Hooks that measure a training. They never judge and never disturb; one quantity a file."""

from babysit.probe._batch import InputProbe, first_tensor
from babysit.probe._budget import Budget
from babysit.probe._interception import LOSSES, Listening, listen, stop_listening
from babysit.probe._loss_facts import loss_facts
from babysit.probe._observer import Observer
from babysit.probe._pending import Pending
from babysit.probe._sink import Sink
from babysit.probe._targets import TargetProbe
from babysit.probe._unwrapped import unwrapped

__all__ = [
    "Budget",
    "InputProbe",
    "LOSSES",
    "Listening",
    "Observer",
    "Pending",
    "Sink",
    "TargetProbe",
    "first_tensor",
    "listen",
    "loss_facts",
    "stop_listening",
    "unwrapped",
]
