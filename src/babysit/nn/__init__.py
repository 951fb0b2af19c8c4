"""Activations, initialisation, batch normalisation and models built from a Recipe."""

from babysit.nn._activation_cost import ActivationCost, measure_cost
from babysit.nn._activations import activation, card_for
from babysit.nn._build import CategoryEmbedding, Features, Pixels, build
from babysit.nn._cards import ActivationCard, activation_card
from babysit.nn._catalogue import activation_names
from babysit.nn._maxout import Maxout, MaxoutConv2d, MaxPieces, max_pieces

__all__ = [
    "ActivationCard",
    "ActivationCost",
    "CategoryEmbedding",
    "Features",
    "MaxPieces",
    "Maxout",
    "MaxoutConv2d",
    "Pixels",
    "activation",
    "activation_card",
    "activation_names",
    "build",
    "card_for",
    "max_pieces",
    "measure_cost",
]
