"""Other MLS stacks in one group with ours, live and over their bytes.

`rust` and `ts` are small programs around OpenMLS, mls-rs and ts-mls that speak JSON lines; `build` makes and
caches them; `peer` drives one; `ours` is our library behind the same interface; `circle` is one group of
clients of all of them, and `record` writes down what went over the wire for `tests/mls/test_golden.py`.
"""
