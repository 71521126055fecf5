"""Queries: questions about values, opened by a person or a rule, answered by the center, closed by the data manager."""
