"""Pruning masks, their graphons, and the Graphon NTK."""
