graph [
 directed 1
 node [ id 0 label "real" ]
 node [ id 1 label "模型 é" ]
 edge [ source 0 target 1 samples "40" weight "0.5" ]
]
