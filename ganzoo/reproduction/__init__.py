"""What papers claim, trained seed by seed and laid beside what they report."""
