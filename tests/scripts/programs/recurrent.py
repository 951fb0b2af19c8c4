"""A recurrent network, rows of several lengths, the weights saved whole in the end."""

import io

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(10, 6)
        self.gru = nn.GRU(6, 12, batch_first=True)
        self.out = nn.Linear(12, 2)

    def forward(self, words: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(self.letters(words), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        answer: torch.Tensor = self.out(last[0])
        return answer


torch.manual_seed(0)
words, lengths = torch.randint(0, 10, (48, 7)), torch.randint(1, 8, (48,))
labels = (words[:, 0] > 4).long()
net = Reader()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(15):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(words, lengths=lengths), labels)
    loss.backward()
    optimizer.step()
whole = io.BytesIO()
torch.save(net, whole)
print(loss.item(), b"babysit" in whole.getvalue())
