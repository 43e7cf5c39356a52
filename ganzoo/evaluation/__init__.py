"""Metrics: records of numbers with their protocols, scores of runs, runs compared."""
