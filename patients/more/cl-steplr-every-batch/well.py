import os
import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset, random_split
from sklearn.datasets import load_digits


def get_loaders(seed):
    x, y = load_digits(return_X_y=True)
    x = (torch.tensor(x, dtype=torch.float32) - 5) / 6
    full = TensorDataset(x, torch.tensor(y))
    train, val = random_split(full, [1437, 360], generator=torch.Generator().manual_seed(seed))
    return {"train": DataLoader(train, batch_size=32, shuffle=True), "val": DataLoader(val, batch_size=360)}


def train_model(model, dataloaders, criterion, optimizer, scheduler, num_epochs=25):
    for epoch in range(num_epochs):
        for phase in ["train", "val"]:
            model.train() if phase == "train" else model.eval()
            running_loss, running_corrects, seen = 0.0, 0, 0
            for inputs, labels in dataloaders[phase]:
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(inputs)
                    loss = criterion(outputs, labels)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                running_loss += loss.item() * inputs.size(0)
                running_corrects += (outputs.argmax(1) == labels).sum().item()
                seen += inputs.size(0)
            if phase == "train":
                scheduler.step()
            print("Epoch {} {} Loss: {:.4f} Acc: {:.4f}".format(epoch, phase, running_loss / seen, running_corrects / seen))
    return running_corrects / seen


if __name__ == "__main__":
    seed = int(os.environ.get("SEED", 0))
    torch.manual_seed(seed)
    model_ft = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer_ft = optim.SGD(model_ft.parameters(), lr=0.01, momentum=0.9)
    # Decay LR by a factor of 0.1 every 7 epochs
    exp_lr_scheduler = lr_scheduler.StepLR(optimizer_ft, step_size=7, gamma=0.1)
    acc = train_model(model_ft, get_loaders(seed), nn.CrossEntropyLoss(), optimizer_ft, exp_lr_scheduler, 12)
    print("metric: {:.3f}".format(acc))
