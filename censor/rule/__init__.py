"""What a policy says, compiled: conditions, acts and chances, as frozen data that can match."""
