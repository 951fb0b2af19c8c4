"""A Gaussian process over points: what is known of a score where it was not measured, and how surely.

Matern 5/2 with a length for each coordinate (Rasmussen and Williams 2006, chapters 2, 4 and 5); lengths, height and
noise are those of the highest posterior under weak log-normal priors. Small: hundreds of points, tens of milliseconds.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Numbers = npt.NDArray[np.float64]
LENGTH = 0.7  # prior median of a length, where coordinates run from 0 to 1: a score turns about once across a range
NOISE = 0.05  # prior median of the noise's standard deviation, over that of the scores
ROUNDS = 30  # of Adam; more changed no search
# From where an earlier process ended. Searches of LCBench (34 tasks, four seeds) had regrets of 6.2, 3.0 and 1.5 %
# after 10, 30 and 100 full trainings with 30 rounds, of 6.1, 3.1 and 1.8 with 10, of 6.4, 3.4 and 1.5 with 6.
MORE_ROUNDS = 10
RATE, BETA1, BETA2, EPSILON = 0.1, 0.9, 0.999, 1e-8
JITTER = 1e-6
MOST_FITTED = 100  # points that lengths are fitted on: the best and a sample; all points are then conditioned on


class GaussianProcess:
    """Scores at places, learned.

    Args:
        places: [N, Q], most coordinates from 0 to 1.
        scores: [N], finite.
        start: `parameters` of an earlier process over the same coordinates, to begin from.

    Example:
        >>> places = np.linspace(0, 1, 9)[:, None]
        >>> mean, spread = GaussianProcess(places, np.sin(6 * places[:, 0])).at(np.array([[0.3], [3.0]]))
        >>> bool(abs(mean[0] - math.sin(1.8)) < 0.05), bool(spread[1] > 5 * spread[0])
        (True, True)
    """

    def __init__(self, places: Numbers, scores: Numbers, *, start: Tensor | None = None) -> None:
        self._centre = float(scores.mean())
        self._scale = float(scores.std()) or 1.0
        self._places = torch.from_numpy(np.ascontiguousarray(places, dtype=np.float64))
        self._scores = (torch.from_numpy(np.ascontiguousarray(scores, dtype=np.float64)) - self._centre) / self._scale
        count = self._places.shape[1]
        self._prior = torch.tensor([math.log(LENGTH)] * count + [0.0, math.log(NOISE)], dtype=torch.float64)
        self.parameters = self._fit(self._prior, ROUNDS) if start is None else self._fit(start, MORE_ROUNDS)
        covariance = self._covariance(self._places, self._places, self.parameters) + self._noise(self.parameters)
        self._root = torch.linalg.cholesky(covariance)
        self._weights = torch.cholesky_solve(self._scores[:, None], self._root)

    def at(self, places: Numbers) -> tuple[Numbers, Numbers]:
        """Mean and standard deviation of the score at places [M, Q], the noise left out."""
        asked = torch.from_numpy(np.ascontiguousarray(places, dtype=np.float64))
        across = self._covariance(asked, self._places, self.parameters)
        mean = (across @ self._weights)[:, 0]
        known = torch.linalg.solve_triangular(self._root, across.T, upper=False)
        variance = (torch.exp(2 * self.parameters[-2]) - (known * known).sum(0)).clamp_min(1e-12)
        return (mean * self._scale + self._centre).numpy(), (variance.sqrt() * self._scale).numpy()

    @property
    def lengths(self) -> Numbers:
        """Over which distance a score changes, by coordinate."""
        lengths: Numbers = torch.exp(self.parameters[:-2]).numpy()
        return lengths

    def _fit(self, start: Tensor, rounds: int) -> Tensor:
        places, scores = self._places, self._scores
        if len(scores) > MOST_FITTED:
            order = torch.argsort(scores, descending=True, stable=True)
            rest = order[MOST_FITTED // 2 :]
            spread = rest[torch.linspace(0, len(rest) - 1, MOST_FITTED // 2).long()]
            chosen = torch.cat([order[: MOST_FITTED // 2], spread])
            places, scores = places[chosen], scores[chosen]
        parameters = start.clone()
        mean, square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        for taken in range(1, rounds + 1):
            # Adam by hand (Kingma and Ba 2015, algorithm 1): PyTorch's takes a second to be imported.
            slope = self._slope(places, scores, parameters)
            mean.lerp_(slope, 1 - BETA1)
            square.lerp_(slope**2, 1 - BETA2)
            root = (square / (1 - BETA2**taken)).sqrt() + EPSILON
            parameters = parameters - RATE * mean / (1 - BETA1**taken) / root
        return parameters

    def _slope(self, places: Tensor, scores: Tensor, at: Tensor) -> Tensor:
        """Of what is unlikely of the scores under parameters, prior included."""
        with torch.enable_grad():
            parameters = at.detach().requires_grad_(True)
            covariance = self._covariance(places, places, parameters)
            covariance = covariance + torch.eye(len(scores), dtype=torch.float64) * (
                torch.exp(2 * parameters[-1]) + JITTER
            )
            root = torch.linalg.cholesky(covariance)
            weights = torch.cholesky_solve(scores[:, None], root)[:, 0]
            evidence = -0.5 * (scores @ weights) - torch.log(torch.diagonal(root)).sum()
            surprise = 0.5 * ((parameters - self._prior) ** 2).sum()
            (slope,) = torch.autograd.grad(surprise - evidence, parameters)
        return slope

    def _covariance(self, left: Tensor, right: Tensor, parameters: Tensor) -> Tensor:
        scaled_left, scaled_right = left * torch.exp(-parameters[:-2]), right * torch.exp(-parameters[:-2])
        squared = (scaled_left**2).sum(1)[:, None] + (scaled_right**2).sum(1)[None] - 2 * scaled_left @ scaled_right.T
        distance = math.sqrt(5) * squared.clamp_min(1e-12).sqrt()
        return torch.exp(2 * parameters[-2]) * (1 + distance + distance**2 / 3) * torch.exp(-distance)

    def _noise(self, parameters: Tensor) -> Tensor:
        return torch.eye(len(self._scores), dtype=torch.float64) * (torch.exp(2 * parameters[-1]) + JITTER)
