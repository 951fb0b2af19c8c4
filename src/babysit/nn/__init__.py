"""Activations, initialisation, batch normalisation, and networks made from a recipe."""

from babysit.nn._activation_cost import measure_cost
from babysit.nn._activation_facts import activation, activation_facts, activation_names
from babysit.nn._activations import facts_of
from babysit.nn._build import CategoryEmbedding, Features, Pixels, build
from babysit.nn._factory import MakeNetwork, NetworkFactory, maker_of
from babysit.nn._fold_batch_norm import fold_batch_norm
from babysit.nn._initialisation_report import InitialisationReport, LayerInitialisation
from babysit.nn._initialise import initialise, initialize
from babysit.nn._insert_batch_norm import insert_batch_norm
from babysit.nn._maxout import Maxout, MaxoutConv2d, MaxPieces, max_pieces
from babysit.nn._recalibrate_batch_norm import recalibrate_batch_norm
from babysit.nn._sample import Sample, undisturbed
from babysit.nn._schemes import SCHEMES, Scheme

__all__ = [
    "CategoryEmbedding",
    "Features",
    "InitialisationReport",
    "LayerInitialisation",
    "MakeNetwork",
    "MaxPieces",
    "Maxout",
    "MaxoutConv2d",
    "NetworkFactory",
    "Pixels",
    "SCHEMES",
    "Sample",
    "Scheme",
    "activation",
    "activation_facts",
    "activation_names",
    "build",
    "facts_of",
    "fold_batch_norm",
    "initialise",
    "initialize",
    "insert_batch_norm",
    "maker_of",
    "max_pieces",
    "measure_cost",
    "recalibrate_batch_norm",
    "undisturbed",
]
