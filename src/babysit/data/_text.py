"""Free text as the words that come again in it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import polars as pl

WORD = r"[\p{L}\p{N}']{2,}"
HEAD = 5_000
MOST_WORDS = 128  # features of one column, as wide as the first layer of a small network
RARE, COMMON = 0.01, 0.9  # shares of the rows between which a word says something
LEAST_ROWS = 5
WORDS_A_CELL, AGAIN_A_CELL = 3.0, 2.0  # from which texts are prose; names and keys hold words that seldom come again
MOST_COUNTED = 500_000


def finds_words(present: pl.Series) -> bool:
    """Whether texts consist of words that come again, as prose and descriptions do and names and keys do not.

    Args:
        present: Texts without missing ones.
    """
    head = present.head(HEAD)
    words = words_of(head)
    if float(words.list.len().mean() or 0) < WORDS_A_CELL:  # type: ignore[arg-type]
        return False
    counts = count_words(head)
    least = max(LEAST_ROWS, RARE * len(head))
    return sum(count for count in counts.values() if count >= least) >= AGAIN_A_CELL * len(head)


def words_of(texts: pl.Series) -> pl.Series:
    """The words of each text, in lower case, each once."""
    return texts.cast(pl.String).str.to_lowercase().str.extract_all(WORD).list.unique()


def count_words(texts: pl.Series) -> Counter[str]:
    """In how many texts each word is."""
    words = words_of(texts.drop_nulls()).explode().drop_nulls().alias("word")
    counts = words.value_counts(name="texts")
    return Counter(dict(zip(counts["word"].to_list(), counts["texts"].to_list(), strict=True)))


def prune(counts: Counter[str]) -> Counter[str]:
    """The commonest words, when there are too many to keep."""
    return counts if len(counts) <= MOST_COUNTED else Counter(dict(counts.most_common(MOST_COUNTED // 2)))


def kept_words(counts: Counter[str], rows: int) -> tuple[str, ...]:
    """The words to learn from, in alphabetical order."""
    least = max(LEAST_ROWS, RARE * rows)
    said = [(count, word) for word, count in counts.items() if least <= count <= COMMON * rows]
    best = sorted(said, key=lambda pair: (-pair[0], pair[1]))[:MOST_WORDS]
    return tuple(sorted(word for _, word in best))


def word_features(texts: pl.Series, words: tuple[str, ...]) -> list[npt.NDArray[np.float64]]:
    """For each word, 1.0 where a text holds it, else 0.0; also where the text is missing."""
    lists = words_of(texts)
    rows = pl.DataFrame({"row": range(len(texts)), "word": lists}).explode("word").filter(pl.col("word").is_in(words))
    places = {word: place for place, word in enumerate(words)}
    filled = np.zeros((len(words), len(texts)))
    if rows.height:
        filled[rows["word"].replace_strict(places, return_dtype=pl.Int64).to_numpy(), rows["row"].to_numpy()] = 1.0
    return list(filled)
