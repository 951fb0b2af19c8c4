"""explain: a page by its name, with its figures computed when it is asked for."""

from __future__ import annotations

import difflib
import functools

from babysit.lessons._activation_pages import ACTIVATION_PAGES
from babysit.lessons._check_pages import CHECK_PAGES
from babysit.lessons._finding_pages import DISEASE_PAGES, QUANTITY_PAGES
from babysit.lessons._initialisation_pages import INITIALISATION_PAGES
from babysit.lessons._loss_pages import LOSS_PAGES
from babysit.lessons._normalisation_pages import NORMALISATION_PAGES
from babysit.lessons._optimisation_pages import OPTIMISATION_PAGES
from babysit.lessons._page import Page
from babysit.lessons._preprocessing_pages import PREPROCESSING_PAGES
from babysit.lessons._remedy_pages import REMEDY_PAGES
from babysit.lessons._step_pages import STEP_PAGES
from babysit.record import ExplainBegan, ExplainEnded, InputError, PageBegan, Progress, silent
from babysit.reports import Lesson

# A name may be several things: the first in this order is shown, a technique before the remedy that uses it.
ALL: tuple[Page, ...] = (
    *ACTIVATION_PAGES,
    *PREPROCESSING_PAGES,
    *INITIALISATION_PAGES,
    *NORMALISATION_PAGES,
    *LOSS_PAGES,
    *OPTIMISATION_PAGES,
    *STEP_PAGES,
    *CHECK_PAGES,
    *DISEASE_PAGES,
    *QUANTITY_PAGES,
    *REMEDY_PAGES,
)
# "Training Neural Networks, part I", in its order.
LECTURE = (
    "activations",
    "sigmoid",
    "tanh",
    "relu",
    "leaky-relu",
    "elu",
    "maxout",
    "zig-zag",
    "preprocessing",
    "centre",
    "standardise",
    "pca",
    "whiten",
    "initialisation",
    "small-random",
    "xavier",
    "he",
    "batch-norm",
    "first-loss",
    "regularisation-check",
    "overfit-tiny",
    "learning-rate",
    "loss-curves",
    "update-ratio",
    "coarse-to-fine",
)


@functools.cache
def pages() -> dict[str, Page]:
    """Every page by its name; where a name is several things, the others are `kind:name`.

    Example:
        >>> pages()["relu"].kind, pages()["lr"].kind, "remedy:lr" in pages()
        ('activation', 'quantity', True)
    """
    found: dict[str, Page] = {}
    for page in ALL:
        found.setdefault(page.name, page)
        found[f"{page.kind}:{page.name}"] = page
    return found


def explain(name: str) -> Lesson:
    """Explain something, with figures computed here and now.

    Args:
        name: An activation, initialisation, preprocessing step, normalisation, loss, optimizer, check, disease,
            quantity or remedy. Case, blanks and underscores do not matter.

    Returns:
        Text, formula, figures and code. `babysit.reports.print_lesson` prints it, `write_lessons_page` makes a page.

    Raises:
        InputError: There is no such page.

    Example:
        >>> explain("Leaky ReLU").title
        'Leaky ReLU'
    """
    return page_of(name).lesson()


def explain_lecture(progress: Progress = silent) -> list[Lesson]:
    """The lecture's pages in its order, every figure computed here and now.

    Args:
        progress: Receives progress events.

    Source: CS231n, "Training Neural Networks, part I".
    """
    progress(ExplainBegan(len(LECTURE)))
    lessons = []
    for name in LECTURE:
        progress(PageBegan(name))
        lessons.append(pages()[name].lesson())
    progress(ExplainEnded())
    return lessons


def page_of(name: str) -> Page:
    """The page of that name, in any spelling that people use.

    Raises:
        InputError: There is no such page.
    """
    known = pages()
    plain = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    squeezed = {key.replace("-", ""): key for key in known}
    for wanted in (plain, ALIASES.get(plain, ""), squeezed.get(plain.replace("-", ""), "")):
        if wanted in known:
            return known[wanted]
    nearest = _nearest(plain, [key for key in known if ":" not in key])
    raise InputError(
        f"there is no page about '{name}'",
        legal=f"babysit explain lists them all{'; ' + ', '.join(nearest) if nearest else ''}",
        write=f"babysit explain {nearest[0] if nearest else 'relu'}",
    )


def _nearest(written: str, names: list[str], count: int = 3) -> list[str]:
    """Names with a word that begins alike, the most similar first; without any, the most similar by letters.

    Example:
        >>> _nearest("vanishing", ["hinge", "activations-vanish", "gradients-vanish", "batch-norm"])
        ['gradients-vanish', 'activations-vanish']
    """

    def likeness(name: str) -> float:
        return difflib.SequenceMatcher(None, written, name).ratio()

    stems = [word[:STEM] for word in written.split("-") if len(word) >= STEM]
    alike = [name for name in names if any(part.startswith(stem) for part in name.split("-") for stem in stems)]
    close = difflib.get_close_matches(written, names, n=count, cutoff=0.6)
    return list(dict.fromkeys([*close, *sorted(alike, key=likeness, reverse=True)]))[:count] or (
        difflib.get_close_matches(written, names, n=count, cutoff=0.4)
    )


STEM = 5  # letters that a word must share: fewer are shared by chance

ALIASES = {
    "bn": "batch-norm",
    "batch-normalisation": "batch-norm",
    "batch-normalization": "batch-norm",
    "center": "centre",
    "cross-entropy": "softmax-cross-entropy",
    "glorot": "xavier",
    "init": "initialisation",
    "initial-loss": "first-loss",
    "initialization": "initialisation",
    "kaiming": "he",
    "lr": "learning-rate",
    "normalise": "standardise",
    "normalize": "standardise",
    "regularisation": "regularisation-check",
    "regularization": "regularisation-check",
    "short-training": "loss-curves",
    "squared-error": "mse",
    "standardize": "standardise",
    "svm": "hinge",
    "swish": "silu",
    "unit-gaussian": "batch-norm",
}
