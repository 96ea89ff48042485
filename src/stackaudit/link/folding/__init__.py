"""Works out what Python statements leave behind, from their facts, without running them.

`objects` holds what a value can be, `journal` undoes and joins branches, `machine` runs; the rest are its parts by
subject. `stackaudit.link.fold` is the door.
"""
