"""How templates are filled, and how figures travel inside a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jinja2
import plotly.graph_objects as go
from plotly.utils import PlotlyJSONEncoder

from babysit.record import HIDDEN, Remedy, secret_texts, without_secrets
from babysit.reports._bundle import packed_script, packed_text
from babysit.reports._evidence import evidence_sentence, value_text
from babysit.reports._remedy_summaries import remedy_summary
from babysit.reports._terminal import interval, score_number

COMMON_KINDS = frozenset({"bar", "heatmap", "histogram"})  # one script for nearly all pages


def environment() -> jinja2.Environment:
    """Templates with everything escaped, and with the words that pages use."""
    secrets = secret_texts()
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("babysit.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: type(value)(secrets.sub(HIDDEN, value)) if isinstance(value, str) else value,
    )
    made.filters |= {
        "number": score_number,
        "interval": interval,
        "shape": lambda sizes: " x ".join(map(str, sizes)),
        "evidence": value_text,
        "sentence": evidence_sentence,
        "capital": lambda text: text[:1].upper() + text[1:],
        "remedy": remedy_text,
    }
    return made


def filled(template: str, plots: Mapping[str, go.Figure], /, **values: Any) -> str:
    """A page as text.

    Args:
        template: Its file.
        plots: Its figures, by the names of their places.
        **values: What else the template shows.
    """
    kinds = {trace.type for figure in plots.values() for trace in figure.data}
    made = json.dumps({name: plain_figure(figure) for name, figure in plots.items()}, cls=PlotlyJSONEncoder)
    figures = packed_text(without_secrets(made))
    packed = packed_script(COMMON_KINDS | kinds)
    return environment().get_template(template).render(figures=figures, plotly=packed, **values)


def plain_figure(figure: go.Figure) -> dict[str, Any]:
    """A figure as plotly.js draws it, without the template, which repeats plotly's own choices in every figure."""
    made: dict[str, Any] = figure.to_plotly_json()
    made["layout"].pop("template", None)
    return made


def remedy_text(remedy: Remedy) -> str:
    """What a remedy does, in words; one with a value of its own leaves out the example."""
    words = remedy_summary(remedy.name, remedy.name)
    return words.partition(":")[0] if remedy.value is not None else words
