"""`python -I -m conclave_provisioning.shell`."""

from conclave_provisioning.shell.program import main

main()
