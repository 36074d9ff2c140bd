"""Tests that run inside the guest, on devices of its kernel."""
