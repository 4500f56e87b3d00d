"""The `moos` commands of this room: compress, train, eval and bench compress. Importing them needs no torch."""
