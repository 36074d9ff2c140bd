"""Who somebody is, and who this device is: trust anchors, verdicts on X.509 chains, the device's own key."""
