"""What happens inside the sandbox: stand a scenario up, run its passes, take it down."""
