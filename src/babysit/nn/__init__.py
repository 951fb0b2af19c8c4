"""Activations, initialisation, batch normalisation and models built from a Recipe."""

from babysit.nn._activation_cost import ActivationCost, measure_cost
from babysit.nn._activation_facts import activation, activation_facts, activation_names
from babysit.nn._activations import facts_of
from babysit.nn._build import Features, Pixels, build
from babysit.nn._convolutional import ResidualBlock
from babysit.nn._embedding import CategoryEmbedding, embedding_size
from babysit.nn._factory import MakeNetwork, NetworkFactory, maker_of
from babysit.nn._fold_batch_norm import fold_batch_norm
from babysit.nn._following import Following, Follows, follow
from babysit.nn._initialisation_report import InitialisationReport, LayerInitialisation, LeftAlone
from babysit.nn._initialise import initialise
from babysit.nn._insert_batch_norm import BatchNormInsertion, insert_batch_norm
from babysit.nn._maxout import Maxout, MaxoutConv2d, MaxPieces, max_pieces
from babysit.nn._recalibrate_batch_norm import recalibrate_batch_norm
from babysit.nn._sample import Sample
from babysit.nn._schemes import SCHEMES, Scheme

__all__ = [
    "ActivationCost",
    "BatchNormInsertion",
    "CategoryEmbedding",
    "Features",
    "Following",
    "Follows",
    "InitialisationReport",
    "LayerInitialisation",
    "LeftAlone",
    "MakeNetwork",
    "MaxPieces",
    "Maxout",
    "MaxoutConv2d",
    "NetworkFactory",
    "Pixels",
    "ResidualBlock",
    "SCHEMES",
    "Sample",
    "Scheme",
    "activation",
    "activation_facts",
    "activation_names",
    "build",
    "embedding_size",
    "facts_of",
    "fold_batch_norm",
    "follow",
    "initialise",
    "insert_batch_norm",
    "maker_of",
    "max_pieces",
    "measure_cost",
    "recalibrate_batch_norm",
]
