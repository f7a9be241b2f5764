"""What adapters and applications test with: real servers, the reference adapter, the suite."""
