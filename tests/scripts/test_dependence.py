"""What depends on what, and faults that are proven as a script runs: sick programs, and healthy ones alike."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, TensorDataset

from babysit.record import Event, TraceStore
from babysit.scripts import Patcher

VOCABULARY, LENGTH, ROWS, UNITS = 23, 9, 12, 16


def seen(program: Callable[[], object], probes: str = "dependence") -> dict[str, Event]:
    """Events of a program that is watched, by their kind."""
    torch.manual_seed(0)
    store = TraceStore(None)
    with Patcher(store, probes=probes):
        program()
    return {event.kind: event for event in store.read().events if event.kind != "unseen"}


def tokens(rows: int = ROWS, length: int = LENGTH) -> Tensor:
    return torch.randint(2, VOCABULARY, (rows, length))


class Attention(nn.Module):
    """Self-attention written by hand."""

    def __init__(self, *, causal: bool, joined: str = "permute", split: str = "permute", fused: bool = False) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(VOCABULARY, UNITS), nn.Parameter(torch.randn(64, UNITS))
        self.project, self.out = nn.Linear(UNITS, 3 * UNITS), nn.Linear(UNITS, VOCABULARY)
        self.causal, self.joined, self.split, self.fused = causal, joined, split, fused

    def heads(self, values: Tensor) -> Tensor:
        rows, length, _ = values.shape
        if self.split == "permute":
            return values.reshape(rows, length, 4, -1).transpose(1, 2)
        return values.reshape(rows, 4, length, -1)

    def forward(self, ids: Tensor) -> Tensor:
        inputs = self.embedding(ids) + self.places[: ids.shape[1]]
        query, key, value = (self.heads(one) for one in self.project(inputs).chunk(3, dim=-1))
        if self.fused:
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        else:
            scores = query @ key.transpose(-1, -2) / math.sqrt(UNITS / 4)
            if self.causal:
                scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -math.inf)
            mixed = functional.dropout(scores.softmax(-1), 0.0) @ value
        if self.joined == "permute":
            mixed = mixed.permute(0, 2, 1, 3).contiguous()
        answers: Tensor = self.out(inputs + mixed.reshape(len(ids), ids.shape[1], UNITS))
        return answers


class Recurrent(nn.Module):
    def __init__(self, *, batch_first: bool = True, bidirectional: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, UNITS)
        self.layer = nn.GRU(UNITS, UNITS, batch_first=batch_first, bidirectional=bidirectional)
        self.out = nn.Linear(UNITS * (1 + bidirectional), VOCABULARY)

    def forward(self, ids: Tensor) -> Tensor:
        answers: Tensor = self.out(self.layer(self.embedding(ids))[0])
        return answers


class Convolution(nn.Module):
    def __init__(self, *, ahead: bool) -> None:
        super().__init__()
        self.embedding, self.layer = nn.Embedding(VOCABULARY, UNITS), nn.Conv1d(UNITS, UNITS, 3)
        self.out, self.padding = nn.Linear(UNITS, VOCABULARY), (1, 1) if ahead else (2, 0)

    def forward(self, ids: Tensor) -> Tensor:
        inputs = functional.pad(self.embedding(ids).transpose(1, 2), self.padding)
        answers: Tensor = self.out(self.layer(inputs).transpose(1, 2))
        return answers


class Exchanged(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.layer = nn.Embedding(VOCABULARY, UNITS), nn.GRU(UNITS, UNITS)
        self.out = nn.Linear(UNITS, VOCABULARY)

    def forward(self, ids: Tensor) -> Tensor:
        states = self.layer(self.embedding(ids).transpose(0, 1))[0]
        answers: Tensor = self.out(states.reshape(len(ids), ids.shape[1], UNITS))
        return answers


def cyclic(ids: Tensor) -> Tensor:
    """Rows that repeat three tokens, with a few others among them."""
    rows = ids[:, :3].repeat(1, LENGTH // 3)
    others = torch.rand(ids.shape) < 0.2
    return torch.where(others, ids, rows)


def trained(net: nn.Module, pairs: Callable[[Tensor], tuple[Tensor, Tensor]], *, turned: bool = False) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(3):
        inputs, targets = pairs(tokens())
        if turned:
            inputs, targets = inputs.T, targets.T
        optimizer.zero_grad()
        functional.cross_entropy(net(inputs).reshape(-1, VOCABULARY), targets.reshape(-1)).backward()
        optimizer.step()


def shifted(by: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    return lambda ids: (ids[:, : LENGTH - max(by, 1)], ids[:, by : by + LENGTH - max(by, 1)])


def masked(ids: Tensor) -> tuple[Tensor, Tensor]:
    """As BERT is trained: some tokens are hidden, the others do not count."""
    hidden = torch.rand(ids.shape) < 0.3
    return ids.masked_fill(hidden, 1), ids.masked_fill(~hidden, -100)


SEQUENCES = {
    "causal, next token": (lambda: trained(Attention(causal=True), shifted(1)), set()),
    "causal, fused": (lambda: trained(Attention(causal=True, fused=True), shifted(1)), set()),
    "recurrent, next token": (lambda: trained(Recurrent(), shifted(1)), set()),
    "recurrent, rows second": (lambda: trained(Recurrent(batch_first=False), shifted(1), turned=True), set()),
    "bidirectional, hidden tokens": (lambda: trained(Attention(causal=False), masked), set()),
    "bidirectional, tags": (lambda: trained(Attention(causal=False), lambda ids: (ids, ids * 7 % VOCABULARY)), set()),
    "causal, tags": (lambda: trained(Attention(causal=True), lambda ids: (ids, ids * 7 % VOCABULARY)), set()),
    "no mask": (lambda: trained(Attention(causal=False), shifted(1)), {"future-leaks"}),
    "no mask, fused": (lambda: trained(Attention(causal=False, fused=True), shifted(1)), {"future-leaks"}),
    "short rows, no mask": (
        lambda: trained(Attention(causal=False), lambda ids: (ids[:, :5], ids[:, 1:6])),
        {"future-leaks"},
    ),
    "short rows, causal": (lambda: trained(Attention(causal=True), lambda ids: (ids[:, :5], ids[:, 1:6])), set()),
    "bidirectional layer": (lambda: trained(Recurrent(bidirectional=True), shifted(1)), {"future-leaks"}),
    "not shifted": (lambda: trained(Attention(causal=True), shifted(0)), {"targets-in-inputs"}),
    "not shifted, recurrent": (lambda: trained(Recurrent(), shifted(0)), {"targets-in-inputs"}),
    "shifted twice": (lambda: trained(Attention(causal=True), shifted(2)), {"targets-misaligned"}),
    "shifted twice, rows second": (
        lambda: trained(Recurrent(batch_first=False), shifted(2), turned=True),
        {"targets-misaligned"},
    ),
    "joined without a permute": (
        lambda: trained(Attention(causal=True, joined="reshape"), shifted(1)),
        {"positions-mixed"},
    ),
    "joined without a permute, fused": (
        lambda: trained(Attention(causal=True, joined="reshape", fused=True), shifted(1)),
        {"positions-mixed"},
    ),
    "repeats itself, shifted twice": (
        lambda: trained(Attention(causal=True), lambda ids: shifted(2)(cyclic(ids))),
        {"targets-misaligned"},
    ),
    "repeats itself, next token": (lambda: trained(Attention(causal=True), lambda ids: shifted(1)(cyclic(ids))), set()),
    "convolution that sees both sides": (lambda: trained(Convolution(ahead=True), shifted(1)), {"future-leaks"}),
    "convolution that looks back": (lambda: trained(Convolution(ahead=False), shifted(1)), set()),
    "rows and positions exchanged": (lambda: trained(Exchanged(), shifted(1)), {"positions-mixed"}),
    "split without a permute": (
        lambda: trained(Attention(causal=True, split="reshape"), shifted(1)),
        {"positions-mixed"},
    ),
}


@pytest.mark.parametrize(("program", "wanted"), SEQUENCES.values(), ids=SEQUENCES)
def test_sequences(program: Callable[[], object], wanted: set[str]) -> None:
    found = set(seen(program))
    assert wanted <= found
    # A model whose positions are mixed depends on others than it should, which is its consequence.
    assert found <= wanted | ({"future-leaks", "targets-misaligned"} if "positions-mixed" in wanted else set())


def test_pytorchs_own_layers_mix_nothing() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, UNITS)
            layer = nn.TransformerEncoderLayer(UNITS, 4, 32, batch_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.out = nn.Linear(UNITS, VOCABULARY)

        def forward(self, ids: Tensor) -> Tensor:
            mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
            answers: Tensor = self.out(self.layers(self.embedding(ids), mask=mask, is_causal=True))
            return answers

    assert seen(lambda: trained(Encoder(), shifted(1))) == {}


def classify(reads: str) -> None:
    """Rows of differing lengths, padded behind."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.layer = nn.Embedding(VOCABULARY, UNITS), nn.LSTM(UNITS, UNITS, batch_first=True)
            self.out = nn.Linear(UNITS, 1)

        def forward(self, ids: Tensor) -> Tensor:
            lengths = (ids != 1).sum(1)
            vectors = self.embedding(ids)
            if reads == "packed":
                packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
                state = self.layer(packed)[1][0][0]
            else:
                states = self.layer(vectors)[0]
                state = states[torch.arange(len(ids)), lengths - 1] if reads == "own end" else states[:, -1]
            answers: Tensor = self.out(state).squeeze(1)
            return answers

    net = Reader()
    optimizer = torch.optim.Adam(net.parameters())
    for _ in range(3):
        ids = tokens(20, 60)
        for row in range(20):
            ids[row, 60 if row == 0 else 4 + row % 5 :] = 1
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(net(ids), torch.rand(20).round()).backward()
        optimizer.step()


@pytest.mark.parametrize(("reads", "wanted"), [("last", {"inputs-ignored"}), ("own end", set()), ("packed", set())])
def test_answers_that_are_read_at_padding(reads: str, wanted: set[str]) -> None:
    assert set(seen(lambda: classify(reads))) - ({"padding-counts"} if wanted else set()) == wanted


def loop(net: nn.Module, steps: int = 4, after: Callable[[int], object] = lambda step: None) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(steps):
        optimizer.zero_grad()
        functional.mse_loss(net(torch.randn(8, 3)), torch.randn(8, 2)).backward()
        optimizer.step()
        after(step)


def keeping(keep: Callable[[nn.Module], object]) -> Callable[[], None]:
    def program() -> None:
        net, kept = nn.Linear(3, 2), []
        loop(net, after=lambda step: kept.append(keep(net)) if step == 1 else None)
        net.load_state_dict(kept[0])  # type: ignore[arg-type]

    return program


@pytest.mark.parametrize(
    ("keep", "sick"),
    [
        (lambda net: net.state_dict(), True),
        (lambda net: dict(net.state_dict()), True),
        (lambda net: {name: value.cpu() for name, value in net.state_dict().items()}, True),
        (lambda net: copy.deepcopy(net.state_dict()), False),
        (lambda net: {name: value.clone() for name, value in net.state_dict().items()}, False),
    ],
    ids=["live", "shallow copy", "cpu of a cpu tensor", "deep copy", "clones"],
)
def test_a_kept_state_that_is_live(keep: Callable[[nn.Module], object], sick: bool) -> None:
    assert set(seen(keeping(keep), "losses")) == ({"kept-state-is-live"} if sick else set())


def test_loading_a_state_at_once_is_no_fault() -> None:
    def program() -> None:
        net = nn.Linear(3, 2)
        loop(net)
        net.load_state_dict(net.state_dict())

    assert seen(program, "losses") == {}


@pytest.mark.parametrize("own", [True, False])
def test_a_target_network_that_is_loaded_with_itself(own: bool) -> None:
    def program() -> None:
        net = nn.Linear(3, 2)
        target = copy.deepcopy(net)
        loop(net, after=lambda step: target.load_state_dict((target if own else net).state_dict()))

    found = seen(program, "losses")
    assert set(found) == ({"network-never-updated"} if own else set())
    if own:
        assert found["network-never-updated"].text.startswith("test_dependence.py:")


class Rows(Dataset[tuple[Tensor, Tensor]]):
    """Rows that are augmented when they are fetched."""

    def __init__(self, how: str) -> None:
        self.inputs, self.how = torch.randn(40, 3), how

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        row = self.inputs[index]
        if self.how == "in place":
            row += 0.05 * torch.randn(3)
        elif self.how == "flipped in place":
            self.inputs[index] = row.flip(0)
        elif self.how == "drawn anew":
            self.inputs[index] = torch.randn(3)
        elif self.how == "a copy":
            row = row + 0.05 * torch.randn(3)
        return row.clone(), row[:2].clone()


@pytest.mark.parametrize(
    ("how", "sick"),
    [("in place", True), ("flipped in place", True), ("a copy", False), ("drawn anew", False), ("", False)],
)
def test_rows_that_change_where_they_are_stored(how: str, sick: bool) -> None:
    def program() -> None:
        net = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        loader = DataLoader(Rows(how), batch_size=10, shuffle=True)
        for _ in range(4):
            for inputs, targets in loader:
                optimizer.zero_grad()
                functional.mse_loss(net(inputs), targets).backward()
                optimizer.step()

    assert set(seen(program, "losses")) == ({"data-changed-in-place"} if sick else set())


@pytest.mark.parametrize(("inside", "sick"), [(0.0, True), (1e-6, False)])
def test_a_gradient_that_is_not_finite_under_a_finite_loss(inside: float, sick: bool) -> None:
    def program() -> None:
        net = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            same = torch.randn(4, 3)
            optimizer.zero_grad()
            ((net(same) - net(same)).pow(2).sum(1) + inside).sqrt().mean().backward()
            optimizer.step()

    found = seen(program)
    assert ("gradients-not-finite" in found) == sick
    if sick:
        assert "sqrt" in found["gradients-not-finite"].text


def recognise(lengths: Tensor, *, normalised: bool = True) -> None:
    net = nn.Linear(4, 6)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    labels = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    for _ in range(2):
        optimizer.zero_grad()
        answers = net(torch.randn(20, 2, 4))
        answers = answers.log_softmax(-1) if normalised else answers + 3
        loss = nn.CTCLoss(blank=0)(answers, labels, torch.tensor([20, 20]), lengths)
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("program", "sick"),
    [
        (lambda: recognise(torch.tensor([5, 5])), True),
        (lambda: recognise(torch.tensor([3, 2]), normalised=False), True),
        (lambda: recognise(torch.tensor([3, 2])), False),
    ],
    ids=["blanks among the labels", "no log-probabilities", "well"],
)
def test_losses_that_cannot_be(program: Callable[[], object], sick: bool) -> None:
    assert set(seen(program, "losses")) == ({"loss-impossible"} if sick else set())


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.2, 0.9)])
def test_what_enters_the_network_in_evaluation_is_compared_with_training(scale: float, shift: float) -> None:
    def program() -> None:
        net = nn.Linear(3, 2)
        rows = TensorDataset(torch.randn(64, 3), torch.randn(64, 2))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for inputs, targets in DataLoader(rows, batch_size=16):
            optimizer.zero_grad()
            functional.mse_loss(net(inputs), targets).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            net(torch.randn(64, 3) * scale + shift)

    torch.manual_seed(0)
    store = TraceStore(None)
    with Patcher(store, probes="losses"):
        program()
    trace = store.read()
    assert trace.series("evaluation-shift", layer="(inputs)", phase="validation").values[0] == pytest.approx(
        shift, abs=0.3
    )
    ratio = trace.series("evaluation-spread-ratio", layer="(inputs)", phase="validation").values[0]
    assert ratio == pytest.approx(scale, rel=0.25)


@pytest.mark.parametrize(("by_column", "sick"), [(True, True), (False, False)])
def test_columns_that_differ_add_up_to_a_table_that_does_not(by_column: bool, sick: bool) -> None:
    """Validation rows scaled by one mean and deviation of the whole table, which leaves the table's own at 0 and 1."""

    def program() -> None:
        table = torch.randn(256, 6) * torch.tensor([1.0, 10.0, 100.0, 1.0, 0.1, 1000.0]) + torch.arange(6.0) * 20
        train, held = table[:192], table[192:]
        mean, spread = train.mean(0), train.std(0)
        held = (held - held.mean()) / held.std() if by_column else (held - mean) / spread
        net = nn.Linear(6, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for batch in ((train - mean) / spread).split(64):
            optimizer.zero_grad()
            net(batch).square().mean().backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            net(held)

    torch.manual_seed(0)
    store = TraceStore(None)
    with Patcher(store, probes="losses"):
        program()
    ratio = store.read().series("evaluation-spread-ratio", layer="(inputs)", phase="validation").values[0]
    assert (ratio < 0.1) == sick
    assert sick or ratio == pytest.approx(1, rel=0.25)


class OneAnswerEach(nn.Module):
    """One answer for each row, in several ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.layer, self.out = nn.GRU(6, UNITS, batch_first=how != "rows taken for time"), nn.Linear(UNITS, 5)
        self.pair = nn.Linear(2 * UNITS, 5)
        self.both = nn.GRU(6, UNITS, batch_first=True, bidirectional=True)

    def forward(self, rows: Tensor) -> Tensor:
        if self.how == "reshaped":
            rows = rows.reshape(rows.shape[1], rows.shape[0], 6).transpose(0, 1)
        if self.how == "last states by a view":
            answers: Tensor = self.pair(self.both(rows)[1].reshape(len(rows), -1))
        elif self.how == "last states":
            answers = self.pair(self.both(rows)[1].transpose(0, 1).reshape(len(rows), -1))
        elif self.how == "softmax over rows":
            answers = self.out(self.layer(rows)[0][:, -1].softmax(0))
        else:
            answers = self.out(self.layer(rows)[0][:, -1])
        return answers


@pytest.mark.parametrize(
    ("how", "mixed", "kinds"),
    [
        ("as it should be", False, set()),
        ("last states", False, set()),
        ("rows taken for time", True, set()),
        ("last states by a view", True, set()),
        ("softmax over rows", True, set()),
        ("reshaped", True, {"positions-mixed"}),
    ],
)
@pytest.mark.parametrize("one_graph", [False, True])
def test_rows_that_change_each_others_answers(how: str, mixed: bool, kinds: set[str], one_graph: bool) -> None:
    """Rows of one graph are the same in each step, and depend on each other by design."""
    torch.manual_seed(0)
    store, whole = TraceStore(None), torch.randn(4, ROWS, LENGTH, 6)
    with Patcher(store, probes="dependence"):
        net = OneAnswerEach(how)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for step in range(4):
            optimizer.zero_grad()
            answers = net(whole[0 if one_graph else step])
            functional.cross_entropy(answers, torch.randint(5, (ROWS,))).backward()
            optimizer.step()
    trace = store.read()
    values = trace.series("row-mixing", layer="(outputs)").values
    assert bool(values) != one_graph
    assert one_graph or (values[0] > 1e-3) == mixed
    assert {event.kind for event in trace.events if event.kind != "unseen"} == kinds


@pytest.mark.parametrize(("how", "sick"), [("view", True), ("permute", False), ("grey", False)])
def test_channels_that_stand_last(how: str, sick: bool) -> None:
    """As images are stored: their axes are to be permuted."""
    images = torch.rand(4, ROWS, 8, 8, 1 if how == "grey" else 3)

    class Images(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.out = nn.Conv2d(images.shape[-1], 4, 3), nn.Linear(4, 5)

        def forward(self, rows: Tensor) -> Tensor:
            count, high, wide, channels = rows.shape
            first = rows.permute(0, 3, 1, 2) if how == "permute" else rows.view(count, channels, high, wide)
            answers: Tensor = self.out(self.layer(first).mean((2, 3)))
            return answers

    def program() -> None:
        net = Images()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for batch in images:
            functional.cross_entropy(net(batch), torch.randint(5, (ROWS,))).backward()
            optimizer.step()
            optimizer.zero_grad()

    assert set(seen(program)) == ({"positions-mixed"} if sick else set())


@pytest.mark.parametrize("same", [True, False])
def test_each_step_has_the_same_rows(same: bool) -> None:
    """As where all rows there are, such as the four of an exclusive or, are one batch."""
    store, rows = TraceStore(None), torch.randn(4, 2)
    with Patcher(store, probes="losses") as patcher:
        net = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            functional.mse_loss(net(rows if same else rows.clone()), torch.zeros(4, 1)).backward()
            optimizer.step()
    patcher.tell(finished=True)
    assert ("each-step" in store.read().facts) == same
