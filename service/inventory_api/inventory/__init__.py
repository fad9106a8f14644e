"""Items, their stock levels, movements and audit."""
