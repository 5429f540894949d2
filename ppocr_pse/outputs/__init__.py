"""Everything that a detection run over many pictures writes, and how a run that was stopped goes on.

``output_set`` opens several outputs of one run; ``names`` says how files are called; the other modules are one kind of
output each.
"""
