"""Every fault that there is."""

from tests.simulation.faults_machines import MACHINE_FAULTS
from tests.simulation.faults_service import SERVICE_FAULTS

FAULTS = (*SERVICE_FAULTS, *MACHINE_FAULTS)
