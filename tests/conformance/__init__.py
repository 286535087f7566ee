"""Every row of the conformance data: eventdefs gives what Ceilometer gave, or what a named deviation says."""
