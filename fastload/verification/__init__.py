"""Comparison of what two databases hold, row by row, and the repair of what differs."""
