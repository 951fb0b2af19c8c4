"""One visible training loop, checkpoints, evaluation and prediction."""

__all__: list[str] = []
