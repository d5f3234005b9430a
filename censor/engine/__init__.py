"""One packet's way from the table of flows to a decision and its events."""
