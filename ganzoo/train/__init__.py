"""Training: one loop for every model. Only it calls backward and step."""
