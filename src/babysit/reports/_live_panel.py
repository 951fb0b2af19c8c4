"""The training as it runs, on a terminal: progress, curves, the health of each layer, findings as they appear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from babysit.record import WEIGHTED, EpochNumbers, Finding, StepNumbers, Trace
from babysit.reports._findings import finding_line
from babysit.reports._inside import some_layers
from babysit.reports._progress import TimeLeft, epoch_line, number
from babysit.reports._sparkline import sparkline

REFRESH = 4  # times a second
MOST_LOSSES = 400  # of the last part of a curve that are kept to be drawn
MOST_ROWS = 10  # layers shown
MOST_FINDINGS = 5
LOW_RATIO, HIGH_RATIO = 1e-5, 1e-1  # update ratios outside are marked; DeepDiagnosis (ICSE 2022) draws the line there
NARROW = 60  # columns under which a table leaves out what can be spared


class LivePanel:
    """Shows a training on a terminal: a Listener for `fit`, and a context, so that the terminal is always given back.

    Args:
        console: Where to draw; None takes the standard error.

    Example:
        >>> import io
        >>> with LivePanel(console=Console(file=io.StringIO(), force_terminal=True)) as panel:
        ...     panel.began(epochs=2, steps_per_epoch=10, step=0)
    """

    def __init__(self, *, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live: Live | None = None
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._epochs = 0
        self._line = ""
        self._losses: list[float] = []
        self._validation: list[float] = []
        self._scores: list[float] = []
        self._score_name = ""
        self._lr = math.nan
        self._layers: RenderableType | None = None
        self._found: list[Finding] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def began(self, *, epochs: int, steps_per_epoch: int, step: int) -> None:
        """Open the panel."""
        self._epochs = epochs
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None), TimeLeft(), console=self._console, expand=True
        )
        self._task = self._progress.add_task(self._epoch_text(1), total=epochs * steps_per_epoch, completed=step)
        self._live = Live(
            get_renderable=self.panel, console=self._console, refresh_per_second=REFRESH, transient=True,
            vertical_overflow="crop",
        )  # fmt: skip
        self._live.start()

    def stepped(self, numbers: StepNumbers) -> None:
        """Move the bar; keep the loss."""
        self._losses.append(numbers.loss)
        self._lr = numbers.lr
        if len(self._losses) > 2 * MOST_LOSSES:  # halve it: the curve keeps its beginning
            self._losses = self._losses[::2]
        if self._progress is not None:
            self._progress.update(self._task, completed=numbers.step, description=self._epoch_text(numbers.epoch))

    def epoch_ended(self, numbers: EpochNumbers) -> None:
        """Keep the epoch's numbers."""
        self._line = epoch_line(numbers)
        self._score_name = numbers.score_name
        if numbers.validation_loss is not None:
            self._validation.append(numbers.validation_loss)
        score = numbers.validation_score if numbers.validation_score is not None else numbers.train_score
        self._scores.append(score)

    def measured(self, trace: Trace) -> None:
        """Lay out the layers' health anew."""
        self._layers = layer_table(trace, self._console.width)

    def found(self, findings: Sequence[Finding]) -> None:
        """Keep what is wrong."""
        self._found = list(findings)

    def ended(self, reason: str) -> None:
        """Close the panel; the last state of it stays in lines."""
        self._close()
        if self._line:
            self._console.print(self._line, soft_wrap=True, highlight=False)
        self._console.print(f"training ended: {reason}", soft_wrap=True, highlight=False)
        for finding in self._found[:MOST_FINDINGS]:
            self._console.print(finding_line(finding), soft_wrap=True)

    def panel(self) -> RenderableType:
        """What is drawn now."""
        parts: list[RenderableType] = [self._progress] if self._progress is not None else []
        parts.append(self._curves())
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

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


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
