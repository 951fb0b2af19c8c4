"""Hooks that measure a training. They never judge and never disturb; one quantity a file."""

from babysit.probe._budget import Budget
from babysit.probe._observer import Observer, Sink, unwrapped

__all__ = ["Budget", "Observer", "Sink", "unwrapped"]
