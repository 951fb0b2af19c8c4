"""Activations, initialisation, batch normalisation and models built from a Recipe."""

__all__: list[str] = []
