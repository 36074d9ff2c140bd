"""VISCA: what is pure here, what needs a wire against the simulated camera, and that one against others."""
