"""Pages that explain: what it is, its figure computed here and now, when to use it, what goes wrong."""

from babysit.lessons._explain import LECTURE, explain, explain_lecture, page_of, pages
from babysit.lessons._page import Page

__all__ = ["LECTURE", "Page", "explain", "explain_lecture", "page_of", "pages"]
