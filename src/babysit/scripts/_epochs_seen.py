"""Epochs of a training that knows nothing of babysit, as its loaders and its rows tell them."""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Callable, Sized
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from babysit.probes import Aside, readable
from babysit.remedies import Replacements


class LoaderPass:
    """One pass through a loader: how many batches it gave, and how many steps followed them."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.batches = self.steps = 0
        self.rows, self.length = _length(loader.dataset), _length(loader)
        # Some make the same loader anew for each epoch.
        self.loader: object = (self.rows, self.length) if self.length else id(loader)


class EpochsSeen:
    """Watches loaders being gone through, and rows being picked from a tensor.

    Args:
        before_epoch: Called with a loader before it is gone through.
        failed: Called with an error of babysit's own.
    """

    def __init__(
        self, before_epoch: Callable[[DataLoader[Any]], None], failed: Callable[[Exception], None] = lambda _: None
    ) -> None:
        self.latest: LoaderPass | None = None  # whose batch was fetched last
        self._before_epoch, self._failed = before_epoch, failed
        self._passes: list[LoaderPass] = []  # in which steps were taken
        self._of_iterator: weakref.WeakKeyDictionary[Any, LoaderPass] = weakref.WeakKeyDictionary()
        self._picking, self._picked = Replacements(), _Picked()
        self._facts: dict[str, str] = {}
        self._source: tuple[int, int] | None = None  # the tensor that training rows are picked from
        self._fetched = False  # a batch, since the last step
        self._entered: weakref.ref[Tensor] | None = None  # what enters the network, as long as it is always the same
        self._again = 0  # passes that it entered after the first

    def install(self, replaced: Replacements) -> None:
        """Before the script's first line."""
        replaced.put(DataLoader, "__iter__", self._iterating)
        replaced.put(_BaseDataLoaderIter, "__next__", self._fetching)
        self._picking.put(Tensor, "__getitem__", self._picked.remembering)

    def remove(self) -> None:
        """What was left of it."""
        self._picking.take_back()
        self._picked.forget()

    def begin(self, entered: object) -> None:
        """The first pass of training: from how many rows its batch was picked is known now, or never."""
        self._picking.take_back()
        self._entered = weakref.ref(entered) if isinstance(entered, Tensor) else None
        picked = self._picked.source_of(entered)
        self._picked.forget()
        if picked is None or not isinstance(entered, Tensor) or not entered.ndim or not len(entered):
            return
        pointer, rows = picked
        self._source = (pointer, rows)
        self._facts = {"rows": str(rows), "steps-per-epoch": str(math.ceil(rows / len(entered)))}

    def trains_on(self, entered: object) -> None:
        """Another pass of training begins."""
        if self._entered is not None:
            self._again += 1
            if self._entered() is not entered:
                self._entered = None

    def trained_on(self, entered: object) -> bool:
        """Whether rows that are evaluated are those that the network is trained on."""
        if (
            isinstance(entered, Tensor)
            and readable(entered)
            and entered.ndim
            and self._source == (entered.data_ptr(), len(entered))
        ):
            return True
        if not self._fetched or self.latest is None:
            return False
        return any(one.loader == self.latest.loader for one in self._passes)

    def stepped(self) -> None:
        """A step was taken."""
        self._fetched = False
        if self.latest is not None:
            self.latest.steps += 1
            if self.latest.steps == 1:
                self._passes.append(self.latest)

    def facts(self, steps: int, *, finished: bool) -> dict[str, str]:
        """What is known by now: rows, steps an epoch, and epochs of a training that is over."""
        found = dict(self._facts)
        if self._entered is not None and self._again > 1:
            found["each-step"] = "the same rows"
        passes = self._longest()
        if passes:
            batches, taken = sum(one.batches for one in passes), sum(one.steps for one in passes)
            rows, length = passes[0].rows, passes[0].length
            epochs = batches / length if length else float(len(passes))
            if rows is not None:
                found["rows"] = str(rows)
            if length or len(passes) > 1:
                per_epoch = taken / epochs if length else passes[0].steps
                found["steps-per-epoch"] = str(max(1, round(per_epoch)))
            if finished:
                found["epochs"] = str(max(1, round(epochs)))
        elif finished and "steps-per-epoch" in found:
            found["epochs"] = str(max(1, round(steps / int(found["steps-per-epoch"]))))
        return found

    def _longest(self) -> list[LoaderPass]:
        """Passes through the loader that most steps were taken from."""
        taken: dict[object, int] = {}
        for one in self._passes:
            taken[one.loader] = taken.get(one.loader, 0) + one.steps
        loader = max(taken, key=lambda key: taken[key], default=None)
        return [one for one in self._passes if one.loader == loader]

    def _iterating(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def iterate(loader: DataLoader[Any]) -> Any:
            self._before_epoch(loader)
            iterator = original(loader)
            try:
                self._of_iterator[iterator] = LoaderPass(loader)
            except Exception as error:
                self._failed(error)
            return iterator

        return iterate

    def _fetching(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def fetch(iterator: Any) -> Any:
            batch = original(iterator)
            found = self._of_iterator.get(iterator)
            if found is not None:
                self.latest, self._fetched = found, True
                found.batches += 1
            return batch

        return fetch


class _Picked:
    """Remembers of rows that were picked from a tensor from which, and from how many; nothing is written on them."""

    def __init__(self) -> None:
        self._sources: dict[int, tuple[weakref.ref[Tensor], int, int]] = {}  # by the identity of what was picked

    def remembering(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps `Tensor.__getitem__`."""

        def pick(tensor: Tensor, index: Any) -> Any:
            result = original(tensor, index)
            if isinstance(index, Tensor | slice | list) and isinstance(result, Tensor):
                with contextlib.suppress(Exception), Aside():  # a tensor without memory of its own
                    if readable(tensor) and tensor.ndim and result.ndim:
                        key = id(result)
                        reference = weakref.ref(result, lambda _: self._sources.pop(key, None))
                        self._sources[key] = reference, tensor.data_ptr(), len(tensor)
            return result

        return pick

    def source_of(self, picked: object) -> tuple[int, int] | None:
        """Where that tensor's memory begins, and how many rows it has; None of what was not picked."""
        known = self._sources.get(id(picked))
        return known[1:] if known is not None and known[0]() is picked else None

    def forget(self) -> None:
        """All of them."""
        self._sources.clear()


def _length(counted: object) -> int | None:
    with contextlib.suppress(Exception):  # a stream of rows does not know how many there are
        if isinstance(counted, Sized):
            return len(counted)
    return None
