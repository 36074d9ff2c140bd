"""The Conclave service: an end of an end-to-end encrypted meeting in a room device."""
