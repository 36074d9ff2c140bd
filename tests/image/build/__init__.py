"""How the image is made, stage by stage, in the user's cache."""
