"""Hardware of a Conclave room: interfaces, drivers, and the simulated room."""
