"""Answers that are all the same, and padding that counts: sick networks, and healthy ones alike."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.scripts.test_dependence import seen

WORDS, LENGTH, ROWS, UNITS, PAD = 23, 24, 16, 16, 0


def padded_rows(turned: bool = False) -> tuple[Tensor, Tensor]:
    """Rows of tokens with their own lengths, padded behind."""
    ids = torch.randint(2, WORDS, (ROWS, LENGTH))
    lengths = torch.randint(4, LENGTH - 6, (ROWS,))
    lengths[0] = LENGTH
    ids[torch.arange(LENGTH) >= lengths.unsqueeze(1)] = PAD
    return (ids.T if turned else ids), lengths


class Texts(nn.Module):
    """Classifies texts, in many ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.embedding = nn.Embedding(WORDS, UNITS, padding_idx=PAD if "zero" in how else None)
        self.places = nn.Parameter(0.5 * torch.randn(LENGTH, UNITS))
        layer = nn.TransformerEncoderLayer(UNITS, 4, 32, batch_first=True, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.convolution = nn.Conv1d(UNITS, 32, 3, padding=1)
        self.recurrent = nn.GRU(UNITS, UNITS, batch_first=True, bidirectional=True)
        self.out = nn.Linear(32 if "convolution" in how or "packed" in how else UNITS, 3)

    def forward(self, ids: Tensor) -> Tensor:
        own = ids != PAD
        lengths = own.sum(1)
        vectors = self.embedding(ids)
        if "attention" in self.how:
            mask = ~own if "masked" in self.how else None
            vectors = self.encoder(vectors + self.places[: ids.shape[1]], src_key_padding_mask=mask)
        if "packed" in self.how:
            packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
            vectors = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)[0]
        if "convolution" in self.how:
            convolved = self.convolution(vectors.transpose(1, 2)).relu()
            summary = convolved.amax(2) if "largest" in self.how else convolved.mean(2)
        elif "first" in self.how:
            summary = vectors[:, 0]
        elif "whole mean" in self.how:
            summary = vectors.mean(1)
        elif "sum" in self.how:
            summary = vectors.sum(1)
        elif "attended" in self.how:
            scores = vectors @ self.places[0] / math.sqrt(UNITS)
            if "hidden" in self.how:
                scores = scores.masked_fill(~own, -math.inf)
            summary = (scores.softmax(1).unsqueeze(2) * vectors).sum(1)
        else:
            summary = (vectors * own[:, : vectors.shape[1]].unsqueeze(2)).sum(1) / lengths.unsqueeze(1)
        answers: Tensor = self.out(summary)
        return answers


def classify(how: str, *, wide: bool = True) -> None:
    net = Texts(how)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    for step in range(4):
        ids, _ = padded_rows()
        ids = ids if wide else ids[1:, : LENGTH - step]
        optimizer.zero_grad()
        functional.cross_entropy(net(ids), ids[:, 0] % 3).backward()
        optimizer.step()


class Tagger(nn.Module):
    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        self.embedding, self.masked = nn.Embedding(WORDS, UNITS), masked
        self.attention = nn.MultiheadAttention(UNITS, 2, batch_first=True)
        self.out = nn.Linear(UNITS, 5)

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.embedding(ids)
        hidden = vectors + self.attention(vectors, vectors, vectors, key_padding_mask=(ids == PAD) & self.masked)[0]
        answers: Tensor = self.out(hidden)
        return answers


def tag(*, masked: bool = True, ignored: bool = True, by_class_second: bool = False) -> None:
    net = Tagger(masked=masked)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    for _ in range(4):
        ids, _ = padded_rows()
        tags = torch.where(ids == PAD, 0, 1 + ids % 4)
        optimizer.zero_grad()
        answers, wanted = net(ids), tags
        if by_class_second:
            answers = answers.transpose(1, 2)
        else:
            answers, wanted = answers.reshape(-1, 5), tags.reshape(-1)
        functional.cross_entropy(answers, wanted, ignore_index=0 if ignored else -100).backward()
        optimizer.step()


class Recording(nn.Module):
    """Classifies recordings, which are padded with frames of zeros; positions come first."""

    def __init__(self, *, reads: str) -> None:
        super().__init__()
        self.layer, self.out, self.reads = nn.LSTM(5, UNITS), nn.Linear(UNITS, 3), reads

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        if self.reads == "packed":
            packed = pack_padded_sequence(frames, lengths, enforce_sorted=False)
            state = self.layer(packed)[1][0][0]
        else:
            states = self.layer(frames)[0]
            state = states[-1] if self.reads == "last" else states[lengths - 1, torch.arange(len(lengths))]
        answers: Tensor = self.out(state)
        return answers


def listen_to(reads: str) -> None:
    net = Recording(reads=reads)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    for _ in range(4):
        frames, lengths = torch.randn(LENGTH, ROWS, 5), torch.randint(4, LENGTH - 6, (ROWS,))
        lengths[0] = LENGTH
        frames[torch.arange(LENGTH).unsqueeze(1) >= lengths] = 0
        optimizer.zero_grad()
        functional.cross_entropy(net(frames, lengths), torch.randint(0, 3, (ROWS,))).backward()
        optimizer.step()


PADDING: dict[str, tuple[Callable[[], None], set[str]]] = {
    "attention without a mask": (lambda: classify("attention, first"), {"padding-counts"}),
    "a mean over everything": (lambda: classify("whole mean"), {"padding-averaged"}),
    "a mean over everything, batches of differing widths": (
        lambda: classify("whole mean", wide=False),
        {"padding-counts"},
    ),
    "weights over everything": (lambda: classify("attended"), {"padding-counts"}),
    "tagger without a mask": (lambda: tag(masked=False), {"padding-counts"}),
    "loss of padding": (lambda: tag(ignored=False), {"padding-counts"}),
    "loss of padding, classes second": (lambda: tag(ignored=False, by_class_second=True), {"padding-counts"}),
    "recording read at its end": (lambda: listen_to("last"), {"padding-counts"}),
    "attention with a mask": (lambda: classify("attention, masked, first"), set()),
    "attention with a mask, mean of the row": (lambda: classify("attention, masked"), set()),
    "mean of the row": (lambda: classify("own mean"), set()),
    "sum with padding of zeros": (lambda: classify("sum, zero"), set()),
    "weights over the row": (lambda: classify("attended, hidden"), set()),
    "packed": (lambda: classify("packed"), set()),
    "convolution, its largest": (lambda: classify("convolution, largest"), set()),
    "tagger with a mask": (lambda: tag(), set()),
    "recording, packed": (lambda: listen_to("packed"), set()),
    "recording read at its own end": (lambda: listen_to("own end"), set()),
}


@pytest.mark.parametrize(("program", "wanted"), PADDING.values(), ids=PADDING)
def test_padding(program: Callable[[], None], wanted: set[str]) -> None:
    assert set(seen(program)) == wanted


# Answers that are all the same.


class Slots(nn.Module):
    """Reads a row of numbers back, place by place."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.inputs, self.keys = nn.Linear(6, UNITS), nn.Linear(UNITS, UNITS)
        self.places = nn.Parameter(torch.randn(6, UNITS))
        self.out = nn.Linear(UNITS, 4)
        if how == "starts at zero":
            nn.init.zeros_(self.out.weight)

    def forward(self, rows: Tensor) -> Tensor:
        memory = self.inputs(rows).unsqueeze(1) + self.places
        asked = torch.zeros_like(memory) if self.how == "no places" else self.places.expand_as(memory)
        if self.how == "everything masked":
            memory = memory * 0
        weights = (asked @ self.keys(memory).transpose(1, 2)).softmax(-1)
        answers: Tensor = self.out(weights @ memory)
        return answers[:, 0] if self.how in ("everything masked", "mean over rows", "starts at zero") else answers


def read_back(how: str, lr: float = 0.001) -> None:
    net = Slots(how)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    for _ in range(4):
        rows = torch.randn(ROWS, 6)
        optimizer.zero_grad()
        answers = net(rows.mean(0).expand_as(rows) if how == "mean over rows" else rows)
        if answers.ndim == 2:
            functional.cross_entropy(answers, rows[:, :4].argmax(1)).backward()
        else:
            functional.cross_entropy(answers.reshape(-1, 4), rows.reshape(-1).gt(0).long()).backward()
        optimizer.step()


IDENTICAL: dict[str, tuple[Callable[[], None], set[str]]] = {
    "positions without places": (lambda: read_back("no places"), {"outputs-identical"}),
    "everything masked": (lambda: read_back("everything masked"), {"outputs-identical"}),
    "one row for all": (lambda: read_back("mean over rows"), set()),  # the inputs are what is wrong
    "places": (lambda: read_back("well"), set()),
    "a start of zeros": (lambda: read_back("starts at zero"), set()),
    "a start of zeros, a rate of zero": (lambda: read_back("starts at zero", lr=0.0), set()),
}


@pytest.mark.parametrize(("program", "wanted"), IDENTICAL.values(), ids=IDENTICAL)
def test_answers_that_are_all_the_same(program: Callable[[], None], wanted: set[str]) -> None:
    assert set(seen(program)) == wanted


# Weights that the output shares with the embedding.


class Language(nn.Module):
    def __init__(self, *, tied: str, deviation: float) -> None:
        super().__init__()
        self.embedding, self.layer = nn.Embedding(WORDS, 64), nn.GRU(64, 64, batch_first=True)
        self.out, self.tied = nn.Linear(64, WORDS, bias=False), tied
        nn.init.normal_(self.embedding.weight, std=deviation)
        if tied == "layer":
            self.out.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.embedding(ids)
        hidden = functional.layer_norm(vectors + self.layer(vectors)[0], (64,))
        if self.tied == "product":
            return hidden @ self.embedding.weight.T
        answers: Tensor = self.out(hidden)
        return answers


def speak(tied: str, deviation: float) -> None:
    net = Language(tied=tied, deviation=deviation)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    for _ in range(3):
        ids = torch.randint(0, WORDS, (ROWS, 10))
        optimizer.zero_grad()
        functional.cross_entropy(net(ids[:, :-1]).reshape(-1, WORDS), ids[:, 1:].reshape(-1)).backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("tied", "deviation", "wanted"),
    [
        ("layer", 1.0, {"tied-weights-badly-scaled"}),
        ("product", 1.0, {"tied-weights-badly-scaled"}),
        ("layer", 0.02, set()),
        ("product", 0.1, set()),
        ("", 1.0, set()),
    ],
)
def test_tied_weights(tied: str, deviation: float, wanted: set[str]) -> None:
    assert set(seen(lambda: speak(tied, deviation))) == wanted
