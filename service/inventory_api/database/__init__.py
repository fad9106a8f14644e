"""The pool, sessions that borrow from it, and the migrations."""
