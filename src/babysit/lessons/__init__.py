"""Pages that explain: what it is, its figure computed here and now, when to use it, what goes wrong."""

from babysit.lessons._explain import explain, explain_lecture, page_of, pages

__all__ = ["explain", "explain_lecture", "page_of", "pages"]
