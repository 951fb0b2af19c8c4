"""Two modules of one network, called one after the other, stepped by one optimizer."""

import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(8, 4), nn.Tanh())
decoder = nn.Linear(4, 8)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
rows = torch.randn(96, 8)
for _ in range(5):
    for batch in rows.split(32):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(decoder(encoder(batch)), batch)
        loss.backward()
        optimizer.step()
print([parameter.sum().item() for net in (encoder, decoder) for parameter in net.parameters()], loss.item())
