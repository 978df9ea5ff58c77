"""The simplest script that a user would write in PyTorch: `plain_torch.py DATA-DIR HIDDEN WANTED`.

It ends after the epoch that reaches the wanted validation accuracy. It does the same as the recipe `mnist`: a sigmoid
network 784-HIDDEN-10, squared error, batches of 10, and a cosine learning rate over 30 epochs.
"""

import gzip
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

directory, hidden, wanted = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])


def read(name: str, offset: int) -> np.ndarray:
    with gzip.open(directory / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)


torch.manual_seed(0)
x = torch.tensor(read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)).float() / 255
labels = torch.tensor(read("train-labels-idx1-ubyte.gz", 8)).long()
y = torch.nn.functional.one_hot(labels, 10).float()
x_train, y_train, x_val, labels_val = x[:50000], y[:50000], x[50000:], labels[50000:]

model = nn.Sequential(nn.Linear(784, hidden), nn.Sigmoid(), nn.Linear(hidden, 10), nn.Sigmoid())
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
for epoch in range(30):
    for group in optimizer.param_groups:
        group["lr"] = 0.5 * (1 + math.cos(math.pi * epoch / 30))
    for rows in torch.randperm(50000).split(10):
        optimizer.zero_grad()
        loss = ((model(x_train[rows]) - y_train[rows]) ** 2).sum(dim=1).mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model(x_val).argmax(1) == labels_val).float().mean().item()
    if accuracy >= wanted:
        break
print(epoch + 1, accuracy)
