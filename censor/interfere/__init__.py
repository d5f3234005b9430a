"""What is done to traffic: forged packets, burdens on flows, memories between ends."""
