"""Two networks against each other, each with an optimizer."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
discriminator = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
steps_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
steps_discriminator = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
criterion = nn.BCEWithLogitsLoss()
for _ in range(40):
    real = torch.randn(64, 2) * 0.5 + 1
    fake = generator(torch.randn(64, 2))
    steps_discriminator.zero_grad()
    loss = criterion(discriminator(real), torch.ones(64, 1))
    loss = loss + criterion(discriminator(fake.detach()), torch.zeros(64, 1))
    loss.backward()
    steps_discriminator.step()
    steps_generator.zero_grad()
    criterion(discriminator(fake), torch.ones(64, 1)).backward()
    steps_generator.step()
print([parameter.sum().item() for net in (generator, discriminator) for parameter in net.parameters()])
