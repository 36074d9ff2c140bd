"""Samsung's Multiple Display Control on a serial wire: `packets` without I/O, `display` the driver `mdc`."""
