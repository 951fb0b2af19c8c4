"""The gradient noise scale, from what one linear layer sees within one step.

The gradient that row i gives a linear layer's weights is the outer product of its input a_i and the loss's gradient
d_i with respect to its output; its squared length is |a_i|^2 |d_i|^2 (Goodfellow 2015, arXiv:1510.01799). With the
length of the sum G these give the unbiased estimators of McCandlish et al. 2018 (arXiv:1812.06162, appendix A) without
a second pass. It is the noise of that layer's weights alone, which stands for the network's.
"""

from __future__ import annotations

from torch import Tensor

LEAST_ROWS = 4


def noise_scale(input_squares: Tensor, output_gradient: Tensor, inputs: Tensor) -> Tensor | None:
    """Trace of the covariance of the rows' gradients over the squared length of their mean.

    Args:
        input_squares: |a_i|^2, [N].
        output_gradient: Gradient of the batch's mean loss with respect to the layer's outputs, [N, units].
        inputs: a_i, [N, features].

    Returns:
        In rows; None with fewer than four rows. Negative or infinite when noise drowns the signal.
    """
    rows = output_gradient.shape[0]
    if rows < LEAST_ROWS:
        return None
    # Each row's share of the batch's gradient is 1/N of its own.
    squares = (input_squares * output_gradient.square().sum(1)).sum() * rows**2  # sum of the rows' squared lengths
    whole = (output_gradient.T @ inputs).square().sum()  # squared length of the mean gradient
    covariance = (squares - rows * whole) / (rows - 1)
    signal = whole - covariance / rows
    return covariance / signal
