"""How templates are filled, and how figures travel inside a page."""

from __future__ import annotations

import json
from typing import Any

import jinja2
from plotly.utils import PlotlyJSONEncoder

from babysit.record import HIDDEN, Remedy, secret_texts
from babysit.reports._findings import value_text
from babysit.reports._remedy_summaries import remedy_summary
from babysit.reports._terminal import interval, score_number


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
        "remedy": remedy_text,
    }
    return made


def remedy_text(remedy: Remedy) -> str:
    """What a remedy does, in words; one with a value of its own leaves out the example."""
    words = remedy_summary(remedy.name, remedy.name)
    return words.partition(":")[0] if remedy.value is not None else words


def script_safe(figures: dict[str, Any]) -> str:
    """JSON that may stand within a script element: no name in the data can end it."""
    text = json.dumps(figures, cls=PlotlyJSONEncoder)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
