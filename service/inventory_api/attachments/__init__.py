"""Files of items: who may upload what, where the bytes are, and what is known of them."""
