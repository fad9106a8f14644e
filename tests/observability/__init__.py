"""What is made of the catalogue of metrics: the reference, the rules, and what becomes of each alert."""
