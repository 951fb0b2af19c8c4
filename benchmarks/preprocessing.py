"""How fast are statistics and covariance? Beside scikit-learn, on 50,000 x 3072 bytes, in the same run.

    python benchmarks/preprocessing.py             # CIFAR-10's pixels when BABYSIT_DATA names a folder that has them
    python benchmarks/preprocessing.py --rows 5000 --rounds 1

Three comparisons, each round by round:

- mean and std of each feature, beside StandardScaler: at least ten times faster is promised;
- covariance, from bytes to the matrix, everything included, beside one large float32 matrix product of PyTorch and of
  NumPy. Its throughput counts 2 N D^2 operations, as a plain product X'X has them; as the covariance is symmetric,
  only about half of them are really made, so more than the product's own throughput can be had. At least 80 % of
  the faster product is promised;
- 144 principal components (the lecture's figure for CIFAR-10), beside PCA, and IncrementalPCA on some of the rows.

All results are compared with scikit-learn's before anything is timed.
"""

from __future__ import annotations

import argparse
import io
import os
import pathlib

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.decomposition import PCA as ScikitPCA  # noqa: N811
from sklearn.decomposition import IncrementalPCA
from sklearn.preprocessing import StandardScaler

from _measure import Seconds, quartiles, ratio, store, take_turns
from babysit.data import TensorRows
from babysit.data._decorrelate import PCA
from babysit.data._statistics import statistics_of

FEATURES = 3072
COMPONENTS = 144
INCREMENTAL_ROWS = 3_000  # all 50,000 took it six minutes; its time grows with the rows
INCREMENTAL = f"IncrementalPCA of {INCREMENTAL_ROWS:,} rows"
PRODUCT_ROWS = 16_384  # enough rows for a product to reach its full throughput
Bytes = npt.NDArray[np.uint8]


def pixels(rows: int) -> tuple[str, Bytes]:
    """CIFAR-10's training images, flat, or random bytes."""
    folder = os.environ.get("BABYSIT_DATA")
    path = pathlib.Path(folder or ".") / "cifar10_jpeg.npz"
    if folder is None or not path.exists():
        return "random bytes", np.random.default_rng(0).integers(0, 256, (rows, FEATURES), dtype=np.uint8)
    with np.load(path, allow_pickle=False) as archive:
        ends = np.cumsum(archive["train_len"].astype(np.int64))[:rows]
        content = archive["train_jpeg"]
    images = np.empty((len(ends), FEATURES), np.uint8)
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        images[number] = np.asarray(Image.open(io.BytesIO(content[start:end].tobytes()))).reshape(-1)
    return "CIFAR-10 (JPEG)", images


def refuse_wrong_results(rows: Bytes) -> dict[str, float]:
    """Largest differences from scikit-learn, relative to each feature's std."""
    ours = statistics_of(TensorRows(torch.from_numpy(rows)).chunks(), FEATURES, covariance=True)
    theirs = StandardScaler().fit(rows)
    assert ours.covariance is not None
    std = ours.divisor.numpy()
    centred = (rows[:, :256] - theirs.mean_[:256]) / std[:256]
    correlation = ours.covariance.numpy()[:256, :256] / np.outer(std[:256], std[:256])
    differences = {
        "mean": float(np.abs((ours.mean.numpy() - theirs.mean_) / std).max()),
        "std": float(np.abs(ours.std.numpy() / np.sqrt(theirs.var_) - 1).max()),
        "correlation of 256 features": float(np.abs(correlation - centred.T @ centred / len(rows)).max()),
    }
    assert max(differences.values()) < 1e-9, differences
    return differences


def measure_mean_and_std(rows: Bytes, rounds: int) -> Seconds:
    tensor = TensorRows(torch.from_numpy(rows))
    shuffled = np.sort(np.random.default_rng(0).permutation(len(rows))[: len(rows) * 7 // 10])
    return take_turns(
        {
            "babysit": lambda: statistics_of(tensor.chunks(), FEATURES),
            "babysit, 70 % of the rows by number": lambda: statistics_of(tensor.chunks(shuffled), FEATURES),
            "StandardScaler": lambda: StandardScaler().fit(rows),
        },
        rounds,
    )


def measure_covariance(rows: Bytes, rounds: int) -> Seconds:
    tensor = TensorRows(torch.from_numpy(rows))
    left = rows[:PRODUCT_ROWS].astype(np.float32)
    right = left.copy()  # of one array with itself NumPy would make half the product
    return take_turns(
        {
            "babysit covariance": lambda: statistics_of(tensor.chunks(), FEATURES, covariance=True),
            "NumPy product": lambda: left.T @ right,
            "PyTorch product": lambda: torch.from_numpy(left).T @ torch.from_numpy(right),
        },
        rounds,
    )


def measure_components(rows: Bytes) -> Seconds:
    """Once each and without warming up: these take long."""
    tensor = TensorRows(torch.from_numpy(rows))
    return take_turns(
        {
            "babysit PCA": lambda: PCA(FEATURES, COMPONENTS).fit(tensor.chunks()),
            "PCA": lambda: ScikitPCA(COMPONENTS).fit(rows),
            INCREMENTAL: lambda: IncrementalPCA(COMPONENTS, batch_size=1000).fit(rows[:INCREMENTAL_ROWS]),
        },
        rounds=1,
        warm_up=0,
    )


def throughput_shares(seconds: Seconds, rows: int) -> dict[str, dict[str, float]]:
    """Operations a second, and the covariance's share of each product's, round by round."""
    counts = {name: 2 * FEATURES**2 * min(rows, PRODUCT_ROWS) for name in ("NumPy product", "PyTorch product")}
    counts["babysit covariance"] = 2 * FEATURES**2 * rows
    rates = {name: [counts[name] / each / 1e9 for each in seconds[name]] for name in seconds}
    faster = [max(pair) for pair in zip(rates["NumPy product"], rates["PyTorch product"], strict=True)]
    ours = rates["babysit covariance"]
    # A symmetric product of D features has D (D + 1) / 2 different entries.
    made = [rate * (FEATURES + 1) / (2 * FEATURES) for rate in ours]
    return {
        **{f"{name}, billion operations a second": quartiles(rate) for name, rate in rates.items()},
        "covariance over the faster product": quartiles([a / b for a, b in zip(ours, faster, strict=True)]),
        "covariance over PyTorch's product": quartiles(
            [a / b for a, b in zip(ours, rates["PyTorch product"], strict=True)]
        ),
        "operations really made, over the faster product's": quartiles(
            [a / b for a, b in zip(made, faster, strict=True)]
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    name, rows = pixels(chosen.rows)
    print(f"{name}: {len(rows):,} x {FEATURES} bytes, {torch.get_num_threads()} threads")
    differences = refuse_wrong_results(rows)
    print(f"largest differences from scikit-learn: {differences}")

    moments = measure_mean_and_std(rows, chosen.rounds)
    speed_up = ratio(moments, "StandardScaler", "babysit")
    for contender, seconds in moments.items():
        print(f"mean and std, {contender:38s} {quartiles(seconds)['median']:8.3f} s")
    print(f"babysit is {speed_up['median']:.0f} times faster ({speed_up['low']:.0f} to {speed_up['high']:.0f})")

    covariance = measure_covariance(rows, chosen.rounds)
    shares = throughput_shares(covariance, len(rows))
    for what, figures in shares.items():
        print(f"{what:58s} {figures['median']:8.2f} ({figures['low']:.2f} to {figures['high']:.2f})")

    components = measure_components(rows)
    for contender, seconds in components.items():
        print(f"{COMPONENTS} components, {contender:28s} {seconds[0]:8.2f} s")

    store(
        "preprocessing",
        {
            "data": name,
            "rows": len(rows),
            "features": FEATURES,
            "rounds": chosen.rounds,
            "largest differences from scikit-learn": differences,
            "mean and std": {
                "seconds": {contender: quartiles(seconds) for contender, seconds in moments.items()},
                "StandardScaler over babysit": speed_up,
            },
            "covariance": {
                "seconds": {contender: quartiles(seconds) for contender, seconds in covariance.items()},
                **shares,
            },
            f"{COMPONENTS} components, seconds (once each)": {
                contender: seconds[0] for contender, seconds in components.items()
            },
        },
    )


if __name__ == "__main__":
    main()
