"""Provisioning of a Conclave room: certificate enrollment and the admin's command line."""
