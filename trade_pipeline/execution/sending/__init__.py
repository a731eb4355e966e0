"""What crosses the wire: orders (`submit`), their cancels, and what takes an order's place."""
