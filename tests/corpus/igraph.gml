Creator "igraph version 0.10"
Version 1
graph
[
  directed 1
  node
  [
    id 0
    name "real"
  ]
  node
  [
    id 1
    name "chat"
  ]
  edge
  [
    source 0
    target 1
    samples 40
  ]
]
