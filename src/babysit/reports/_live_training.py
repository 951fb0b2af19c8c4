"""A training while it runs: progress, curves, the health of each layer, findings as they appear."""

from __future__ import annotations

import math
import time

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

from babysit.record import (
    WEIGHTED,
    EpochEnded,
    Finding,
    FindingsChanged,
    ProgressEvent,
    StepsTaken,
    Trace,
    TraceMeasured,
    TrainingBegan,
    TrainingEnded,
)
from babysit.reports._findings import finding_line
from babysit.reports._inside import some_layers
from babysit.reports._live_part import LivePart, clock, number
from babysit.reports._plot_text import sparkline

LINE_EVERY = 2.0  # seconds between plain lines; the last epoch always has one
MOST_LOSSES = 400  # of the last part of a curve that are kept to be drawn
MOST_ROWS = 10  # layers shown
MOST_FINDINGS = 5
LOW_RATIO, HIGH_RATIO = 1e-5, 1e-1  # update ratios outside are marked; DeepDiagnosis (ICSE 2022) draws the line there
NARROW = 60  # columns under which a table leaves out what can be spared


class TimeLeft(ProgressColumn):
    """Time left at the pace so far."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.finished or task.time_remaining is None:
            return Text("")
        return Text(f"{clock(task.time_remaining)} left", style="cyan")


class TrainingPart(LivePart):
    """A bar over the steps, curves, layers and findings; in lines an epoch every two seconds, and each new finding."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TimeLeft())
        self._bar = Progress(*columns, console=console, expand=True)
        self._task = self._bar.add_task("", total=1)
        self._epochs = 0
        self._line = ""  # of the last epoch
        self._last_line = 0.0  # when it was printed
        self._losses: list[float] = []
        self._validation: list[float] = []
        self._scores: list[float] = []
        self._score_name = ""
        self._lr = math.nan
        self._layers: RenderableType | None = None
        self._found: list[Finding] = []
        self._told: set[tuple[str, str]] = set()  # findings that were printed, with their severities
        self._reason = ""

    def take(self, event: ProgressEvent) -> list[Text]:
        match event:
            case TrainingBegan():
                self._epochs = event.epochs
                total = event.epochs * event.steps_per_epoch
                self._bar.update(self._task, total=total, completed=event.step, description=self._epoch_text(1))
                again = f", from step {event.step:,}" if event.step else ""
                return [Text(f"training: {event.epochs} epochs of {event.steps_per_epoch:,} steps{again}")]
            case StepsTaken():
                self._stepped(event)
            case EpochEnded():
                return self._epoch_ended(event)
            case TraceMeasured():
                self._layers = layer_table(event.trace, self._console.width)
            case FindingsChanged():
                self._found = list(event.findings)
                return [*map(finding_line, self._untold())]
            case TrainingEnded():
                self._reason = event.reason
                return [Text(f"training ended: {event.reason}")]
            case _:
                pass
        return []

    def _stepped(self, steps: StepsTaken) -> None:
        self._losses.append(steps.loss)
        self._lr = steps.lr
        if len(self._losses) > 2 * MOST_LOSSES:  # halve it: the curve keeps its beginning
            self._losses = self._losses[::2]
        self._bar.update(self._task, completed=steps.step, description=self._epoch_text(steps.epoch))

    def _epoch_ended(self, epoch: EpochEnded) -> list[Text]:
        self._line = epoch_line(epoch)
        self._score_name = epoch.score_name
        if epoch.validation_loss is not None:
            self._validation.append(epoch.validation_loss)
        self._scores.append(epoch.train_score if epoch.validation_score is None else epoch.validation_score)
        now = time.monotonic()
        if now - self._last_line < LINE_EVERY and epoch.epoch != self._epochs:
            return []
        self._last_line = now
        return [Text(f"{self._epoch_text(epoch.epoch)}  {self._line}  lr {epoch.lr:.2g}  {clock(epoch.seconds)}")]

    def _untold(self) -> list[Finding]:
        """Findings that are new or have become worse; notes wait for the report."""
        worth = [one for one in self._found if one.severity != "note" and (one.name, one.severity) not in self._told]
        self._told |= {(one.name, one.severity) for one in worth}
        return worth

    def left_behind(self) -> list[Text]:
        last = [Text(self._line)] if self._line else []
        return [*last, Text(f"training ended: {self._reason}"), *map(finding_line, self._found[:MOST_FINDINGS])]

    def draw(self) -> RenderableType:
        parts: list[RenderableType] = [self._bar, self._curves()]
        if self._layers is not None and self._console.height > 16:
            parts.append(self._layers)
        for finding in self._found[:MOST_FINDINGS]:
            line = finding_line(finding)
            line.no_wrap, line.overflow = True, "ellipsis"
            parts.append(line)
        if len(self._found) > MOST_FINDINGS:
            parts.append(Text(f"and {len(self._found) - MOST_FINDINGS} more", style="dim"))
        return Group(*parts)

    def _curves(self) -> Table:
        table = Table.grid(padding=(0, 1))
        width = max(8, min(40, self._console.width - 34))
        for name, values in (
            ("loss", self._losses),
            ("validation loss", self._validation),
            (self._score_name, self._scores),
        ):
            if values:
                last = number(values[-1])
                first = number(values[0])
                table.add_row(Text(name, style="dim"), sparkline(values, width), f"{first} → {last}")
        if math.isfinite(self._lr):
            table.add_row(Text("rate", style="dim"), "", f"{self._lr:.2g}")
        return table

    def _epoch_text(self, epoch: int) -> str:
        return f"epoch {epoch:>{len(str(self._epochs))}}/{self._epochs}"


def epoch_line(numbers: EpochEnded) -> str:
    """An epoch in a line: loss and score on training rows, and on validation rows where there are any.

    Example:
        >>> epoch_line(EpochEnded(1, 10, 0.1, 0.5, 0.75, "accuracy", 0.9, 0.8, 1.0, True))
        'loss 0.5 | 0.75  accuracy 0.900 | 0.800 *'
    """
    loss, score = number(numbers.train_loss), f"{numbers.train_score:.3f}"
    if numbers.validation_loss is not None and numbers.validation_score is not None:
        loss += f" | {number(numbers.validation_loss)}"
        score += f" | {numbers.validation_score:.3f}"
    return f"loss {loss}  {numbers.score_name} {score}{' *' if numbers.best else ''}"


def layer_table(trace: Trace, width: int) -> RenderableType | None:
    """A row a weighted layer: spread of its outputs, silent or saturated units after it, gradient, update ratio."""
    layers = [layer for layer in trace.layers if layer.kind in WEIGHTED]
    if not layers:
        return None
    shown = some_layers([layer.name for layer in layers], MOST_ROWS)
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("layer", no_wrap=True, overflow="ellipsis", max_width=max(8, width // 4))
    for head in ("outputs std", "idle units", "gradient"):
        if width >= NARROW or head != "gradient":
            table.add_column(head, justify="right", no_wrap=True)
    table.add_column("update ratio", justify="right", no_wrap=True)
    if width >= NARROW:
        table.add_column("", no_wrap=True)
    for name in shown:
        ratios = trace.series("update-ratio", layer=name).values
        row: list[RenderableType] = [name or "(the network)", _last(trace, "activation-std", name), _idle(trace, name)]
        if width >= NARROW:
            row.append(_last(trace, "activation-gradient-std", name))
        row.append(ratio_text(ratios[-1] if ratios else None))
        if width >= NARROW:
            row.append(sparkline(ratios, max(6, min(24, width - 62))))
        table.add_row(*row)
    if len(layers) > len(shown):
        table.caption = f"{len(shown)} of {len(layers)} layers"
        table.caption_style = "dim"
    return table


def ratio_text(ratio: float | None) -> Text:
    """An update ratio, marked when it is far from a thousandth.

    Example:
        >>> ratio_text(0.5).plain, ratio_text(1e-3).plain
        ('0.5 high', '0.001')
    """
    if ratio is None:
        return Text("")
    if not math.isfinite(ratio) or ratio > HIGH_RATIO:
        return Text(f"{ratio:.2g} high", style="red")
    if ratio < LOW_RATIO:
        return Text(f"{ratio:.2g} low", style="yellow")
    return Text(f"{ratio:.2g}")


def _last(trace: Trace, quantity: str, layer: str) -> str:
    values = trace.series(quantity, layer=layer).values
    return f"{values[-1]:.2g}" if values else ""


def _idle(trace: Trace, layer: str) -> str:
    """Silent or saturated units of the activation that follows the layer."""
    names = [found.name for found in trace.layers]
    after = trace.layers[names.index(layer) + 1 :]
    for found in after:
        if found.kind in WEIGHTED:
            break
        if found.kind == "activation":
            shares = [
                values[-1]
                for quantity in ("never-active-share", "saturated-unit-share")
                if (values := trace.series(quantity, layer=found.name).values)
            ]
            return f"{max(shares):.0%}" if shares else ""
    return ""
