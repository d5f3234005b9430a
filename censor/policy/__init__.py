"""A policy document: its models, what is wrong with one, and what it is compiled into."""
