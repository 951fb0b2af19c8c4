"""Pages that explain: what it is, its figure computed here and now, when to use it, what goes wrong."""

__all__: list[str] = []
