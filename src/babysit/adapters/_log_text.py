"""Numbers in what a script printed: `epoch 3/10 loss=0.52 val_acc: 81.2%`, `{'loss': 2.3}`, and the like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from babysit.adapters._log_numbers import PHASES, LogNumber, Meaning, meaning

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|NaN|NAN|inf|Inf|INF|infinity)\b"
# A name of up to four words, something between, and a number, a fraction or a share in percent. Words, blanks and
# digits follow one another in one way only, so that no line is gone through twice.
PAIR = re.compile(
    r"(?<![\w@.])(?P<name>[A-Za-z@_][\w@.]{0,60}(?:[ /-][A-Za-z@_][\w@.]{0,60}){0,3})['\"]?"
    rf"\s{{0,4}}[:=]?\s{{0,4}}[\[('\"]{{0,2}}(?:tensor\()?(?P<value>{NUMBER})(?:\s?/\s?(?P<of>\d+))?(?P<percent>\s?%)?"
)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WORD_ALONE = re.compile(r"(?<![\w@./])[a-z]+(?![\w@/])")  # `val`, and not that of `val_acc`
LONGEST = 2000  # characters of a line that are read


def numbers_of_text(text: str) -> tuple[list[LogNumber], dict[str, str]]:
    """The numbers of a captured output, in order, and the phases that lines tell of their names.

    Args:
        text: The output; progress bars that were drawn over one another are lines of their own.

    Example:
        >>> numbers, _ = numbers_of_text("epoch 1 loss: 2.30\\nepoch 2 loss: 1.85\\n")
        >>> [(number.epoch, number.name, number.value) for number in numbers]
        [(1.0, 'loss', 2.3), (2.0, 'loss', 1.85)]
    """
    found: list[LogNumber] = []
    phases: dict[str, str] = {}
    record, epoch, written = 0, None, ""
    for line in _lines(text):
        pairs = list(_pairs(line))
        axes = {what.quantity: value for name, value, _ in pairs if (what := meaning(name)) and not what.phase}
        epoch = axes.get("epoch", epoch)
        told = []
        for name, value, phase in pairs:
            what = meaning(name, phase)
            if what is not None and what.phase:
                key = name if what.phase == meaning(name).phase else f"{phase} {name}"  # type: ignore[union-attr]
                told.append((key, value))
                phases[key] = what.phase
        if told and line != written:  # a bar drawn again says nothing new
            found += [LogNumber(record, axes.get("step"), epoch, name, value) for name, value in told]
            record += 1
            written = line
    return found, phases


def _lines(text: str) -> Iterator[str]:
    for line in re.split(r"[\r\n]+", ESCAPES.sub("", text)):
        if line.strip():
            yield line[:LONGEST]


def _phases(line: str) -> list[tuple[int, str]]:
    """Where words of their own name a phase, which holds for the numbers behind them: `val: loss 0.3 acc 0.9`.

    Example:
        >>> _phases("train: loss 0.5; val: loss 0.6"), _phases("epoch 0 loss 0.3 val_acc 0.9")
        ([(0, 'train'), (17, 'validation')], [])
    """
    words = [(match.start(), match[0]) for match in WORD_ALONE.finditer(line.lower())]
    return [(at, phase) for at, word in words for phase, names in PHASES.items() if word in names]


def _meant(name: str) -> tuple[str, Meaning | None]:
    """A name and its meaning. Words that stand before a name are no part of it: `Average loss`, `[rank0] loss`."""
    what = meaning(name.strip())
    if what is not None:
        return name.strip(), what
    last = name.strip().rpartition(" ")[2]
    return last, meaning(last)


def _pairs(line: str) -> Iterable[tuple[str, float, str]]:
    """Names, values, and the phase that words before them tell."""
    phases = _phases(line)
    for match in PAIR.finditer(line):
        value = float(match["value"])
        name, what = _meant(match["name"])
        if what is None:
            continue
        if what.quantity.endswith("accuracy"):
            if match["of"] and float(match["of"]) >= value:
                value /= float(match["of"]) or 1.0
            elif match["percent"]:
                value /= 100
        yield name, value, next((phase for at, phase in reversed(phases) if at < match.end("name")), "")
