"""Several processes: which one this is, what they tell each other, and draws that do not depend on their number."""
