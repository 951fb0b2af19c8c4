"""The whole procedure, from data to report: `fit` and `demo`."""

__all__: list[str] = []
