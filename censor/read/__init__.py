"""What rules can see in datagrams and streams, one or several together."""
