"""Everything that proves Conclave."""
