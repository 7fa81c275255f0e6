"""A good study file."""

STUDY = """
[network]
models = ["a", "b", "c"]
initial = 200

[[network.feeds]]
from = "a"
to = "a"
samples = 100

[[network.feeds]]
from = "real"
to = "a"
samples = 100

[[network.feeds]]
from = "a"
to = "b"
samples = 200
weight = 1.0

[family]
name = "linear"
theta = [0.5, -0.5]

[run]
generations = 3
chains = 256
seed = 0
tolerance = 0.5
confidence = 0.99
"""
