"""A page to play with: what a run offers, the pictures it answers with, and the page that shows them."""
