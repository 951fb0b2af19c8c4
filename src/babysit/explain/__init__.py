"""Pages that explain: what it is, its figure computed here and now, when to use it, what goes wrong.

The room and its main function have one name: `babysit.explain("relu")` is `babysit.explain.explain("relu")`.
"""

from babysit.explain import _callable
from babysit.explain._explain import LECTURE, explain, explain_lecture, page_of, pages
from babysit.explain._page import Page

__all__ = ["LECTURE", "Page", "explain", "explain_lecture", "page_of", "pages"]

_callable.make_callable(__name__)
