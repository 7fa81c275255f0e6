"""Parts of study files for grids of dotted fields."""

STUDY = """
[network]
models = ["a", "b.1"]
initial = { a = 60, "b.1" = 80 }
feeds = [
  { from = "a", to = "a", samples = 30 },
  { from = "a", to = "b.1", samples = 40, weight = 2.0 },
]

[family]
name = "huber"
theta = [0.5, -0.5]
threshold = 1.5
noise = { name = "student_t", df = 5 }

[covariates]
design = "random"

[estimator]
name = "sgd"
steps = 3
learning_rate = 0.1
"""
SGD = STUDY[STUDY.index("[estimator]") :]
POOL = """
[data_mediated]
entities = 2
private = 50
public = 60
synthetic = 70
"""
LONE = "[family]" + STUDY.split("[family]")[1]
