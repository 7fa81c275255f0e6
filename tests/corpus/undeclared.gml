graph [ directed 1 node [ id 0 label "chat" ] edge [ source 0 target 7 ] ]
