"""What `make bench` runs: one table of ratios, measured in one go on one machine."""
