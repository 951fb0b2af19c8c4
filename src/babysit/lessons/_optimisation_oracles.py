"""Optimizers' steps and penalties in NumPy: what readers see. `g` is the gradient, `w` the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
State = dict[str, Any]


def sgd(w: Floats, g: Floats, lr: float, state: State) -> Floats:
    return w - lr * g


def momentum(w: Floats, g: Floats, lr: float, state: State, mu: float = 0.9) -> Floats:
    state["v"] = mu * state.get("v", 0) + g  # a ball that rolls: gradients add up
    return w - lr * state["v"]


def nesterov(w: Floats, g: Floats, lr: float, state: State, mu: float = 0.9) -> Floats:
    state["v"] = mu * state.get("v", 0) + g
    return w - lr * (g + mu * state["v"])  # a look ahead to where the ball will be


def adagrad(w: Floats, g: Floats, lr: float, state: State) -> Floats:
    state["s"] = state.get("s", 0) + g**2  # never forgets: rates only fall
    return w - lr * g / (np.sqrt(state["s"]) + 1e-10)


def rmsprop(w: Floats, g: Floats, lr: float, state: State, decay: float = 0.99) -> Floats:
    state["s"] = decay * state.get("s", 0) + (1 - decay) * g**2  # forgets
    return w - lr * g / (np.sqrt(state["s"]) + 1e-8)


def adam(w: Floats, g: Floats, lr: float, state: State, b1: float = 0.9, b2: float = 0.999) -> Floats:
    t = state["t"] = state.get("t", 0) + 1
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["s"] = b2 * state.get("s", 0) + (1 - b2) * g**2
    mean, square = state["m"] / (1 - b1**t), state["s"] / (1 - b2**t)  # averages that began at zero, corrected
    return w - lr * mean / (np.sqrt(square) + 1e-8)


def adamw(w: Floats, g: Floats, lr: float, state: State, decay: float = 0.01) -> Floats:
    return adam(w * (1 - lr * decay), g, lr, state)  # the pull to zero beside the gradient, not within it


def l2(w: Floats, strength: float) -> float:
    return float(strength * (w**2).sum() / 2)


def l2_gradient(w: Floats, strength: float) -> Floats:
    return strength * w


def cosine(lr: float, done: float) -> float:
    return float(lr * (1 + np.cos(np.pi * done)) / 2)  # done: share of the training, 0 to 1
