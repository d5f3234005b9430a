"""What is remembered of connections: flows, streams, fragments, and what a censor believes of TCP."""
