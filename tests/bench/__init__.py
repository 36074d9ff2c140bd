"""What speed and size are, as ratios within one run: `make bench`.

Every figure stands beside what it is measured against, taken in the same process a moment before or
after: MLS beside its *floor* (the primitives alone), SFrame beside the bare AEAD, the daemon's start
beside the interpreter's. Only ratios carry from one run, or one machine, to another.
"""
