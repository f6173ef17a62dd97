"""What can be changed on a node, one module a kind: how it is recorded, made and undone.

`undo(journal, entries)` gets what one step recorded of one subject, oldest first, and returns a
line for each thing put back or left. It looks at nothing but those entries and the machine.
"""
