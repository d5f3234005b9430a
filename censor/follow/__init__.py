"""What is remembered of connections: flows, streams, fragments, what a censor believes of TCP."""
