import os
import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)

# a 4 x 4 grid: from the top left to the goal, two holes on the way
SIZE, HOLES, GOAL = 4, {(1, 1), (2, 3)}, (3, 3)
MOVES = [(-1, 0), (1, 0), (0, -1), (0, 1)]


def observe(pos):
    state = torch.zeros(SIZE * SIZE)
    state[pos[0] * SIZE + pos[1]] = 1
    return state


def step(pos, action):
    row = min(max(pos[0] + MOVES[action][0], 0), SIZE - 1)
    col = min(max(pos[1] + MOVES[action][1], 0), SIZE - 1)
    pos = (row, col)
    if pos == GOAL:
        return pos, 1.0, True
    if pos in HOLES:
        return pos, -1.0, True
    return pos, -0.02, False


class QNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(SIZE * SIZE, 48)
        self.l2 = nn.Linear(48, 4)

    def forward(self, s):
        return self.l2(F.relu(self.l1(s)))


policy_net, target_net = QNet(), QNet()
target_net.load_state_dict(policy_net.state_dict())
target_net.eval()
optimizer = torch.optim.Adam(policy_net.parameters(), lr=2e-3)
memory = deque(maxlen=2000)
gamma, batch_size, sync_every = 0.95, 32, 100
steps_done = 0

for episode in range(250):
    pos, done, t, score = (0, 0), False, 0, 0.0
    epsilon = max(0.1, 1.0 - episode / 150)
    while not done and t < 30:
        if random.random() < epsilon:
            action = random.randrange(4)
        else:
            with torch.no_grad():
                action = policy_net(observe(pos)).argmax().item()
        new, reward, done = step(pos, action)
        memory.append((observe(pos), action, reward, observe(new), done))
        pos, t, score = new, t + 1, score + reward
        steps_done += 1

        if len(memory) >= 200 and steps_done % 2 == 0:
            s, a, r, s2, d = zip(*random.sample(memory, batch_size))
            q = policy_net(torch.stack(s)).gather(1, torch.tensor(a).unsqueeze(1)).squeeze(1)
            with torch.no_grad():
                best = target_net(torch.stack(s2)).max(1).values
            target = torch.tensor(r) + gamma * best * (1 - torch.tensor(d, dtype=torch.float32))
            loss = F.smooth_l1_loss(q, target)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_value_(policy_net.parameters(), 1.0)
            optimizer.step()
        if steps_done % sync_every == 0:
            target_net.load_state_dict(policy_net.state_dict())
    if episode % 50 == 49:
        print(f"episode {episode + 1} score {score:.2f} epsilon {epsilon:.2f}")

# greedy play from every free square
won, starts = 0, [(r, c) for r in range(SIZE) for c in range(SIZE) if (r, c) not in HOLES | {GOAL}]
for pos in starts:
    done, t, reward = False, 0, 0.0
    while not done and t < 30:
        with torch.no_grad():
            pos, reward, done = step(pos, policy_net(observe(pos)).argmax().item())
        t += 1
    won += reward == 1.0
print(f"metric: {won / len(starts):.3f}")
