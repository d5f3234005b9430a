"""What `make fuzz` runs: any bytes whatsoever, on every dissector and on the whole engine."""
