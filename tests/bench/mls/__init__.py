"""MLS beside other stacks: the same operations, in one run, each of ours with its floor beside it."""
