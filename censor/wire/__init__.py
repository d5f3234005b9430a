"""What is on the wire: packets read into headers, and made from them."""
