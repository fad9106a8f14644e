"""Where stock is: the codes that levels, movements and items refer to."""
