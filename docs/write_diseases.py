"""Writes docs/diseases.md from the catalogue.

python docs/write_diseases.py
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

from babysit.diseases import DISEASES, Disease
from babysit.record import Remedy
from babysit.remedies import REMEDIES

PAGE = pathlib.Path(__file__).with_name("diseases.md")
COMMAND = "python docs/write_diseases.py"
INTRODUCTION = f"""\
<!-- Made from the catalogue by `{COMMAND}`: change the diseases there, not here. -->

# What babysit finds

Each finding has one of the names below, wherever it is shown: on the terminal, in `--json`, on a report's page. It
comes with its evidence, the numbers that were measured and the threshold that they passed, so that you can judge for
yourself.

**Severity.** `sick`: training cannot go well like this. `warning`: it costs you something. `note`: worth knowing.

**Order.** Causes come first. A finding that another one explains stands below it and names it: inputs of size 10,000
make the loss infinite; then the inputs are the finding to treat, and `diverged` is its consequence. A finding may be
explained by those listed as its causes, as far as they were found too and are no milder than it is; `diverged` and
`stuck-at-chance`, which say how a training ended, are explained by warnings as well.

**Silence.** Any name can be silenced: `babysit.diagnose(trace, ignore=["oscillating"])`. Findings that it causes are
still shown. Thresholds come from papers, from the lecture CS231n and from measurements, and each says which; none of
them is right for every training.
"""
GROUPS = {
    "data": "Data: what the network is shown",
    "wiring": "Wiring: how the program is put together",
    "set-up": "Set-up: weights, activations, layers, strengths",
    "dynamics": "Dynamics: how the training goes",
    "search": "Search: how the hyper-parameters were looked for",
}


def page(diseases: Iterable[Disease]) -> str:
    """The whole page, in Markdown."""
    listed = list(diseases)
    return "\n".join([INTRODUCTION, _contents(listed), *(_section(disease) for disease in listed)])


def _contents(diseases: list[Disease]) -> str:
    lines = []
    for group, title in GROUPS.items():
        links = [f"[`{found.name}`](#{found.name})" for found in diseases if found.group == group]
        lines.append(f"- {title}: " + ", ".join(links))
    return "\n".join(lines) + "\n"


def _section(disease: Disease) -> str:
    remedies = [f"- `{text}`: {REMEDIES[Remedy.parse(text).name].summary}" for text in disease.remedies]
    causes = ", ".join(f"`{cause}`" for cause in disease.explained_by)
    parts = [
        f"## {disease.name}",
        f"{disease.seen_as} Severity: `{disease.severity}`.",
        disease.why,
        f"**Threshold.** {disease.threshold}",
        f"**Source.** {disease.source}",
        "**Remedies.**\n\n" + "\n".join(remedies) if remedies else "**Remedies.** None that a program could apply.",
        f"**Causes.** {causes}" if causes else "**Causes.** None of the others.",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(DISEASES.values()))
    print(f"{PAGE}: {len(DISEASES)} diseases")
