"""Sources, columns, splits, streaming statistics and preprocessing that travels with the model."""

__all__: list[str] = []
