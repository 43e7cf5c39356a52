"""A model in torch: parts built with their facts, expressions compiled, everything tried on the meta device."""
