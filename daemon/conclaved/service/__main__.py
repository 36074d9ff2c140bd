"""`python -m conclaved.service`."""

from conclaved.service.main import main

main()
