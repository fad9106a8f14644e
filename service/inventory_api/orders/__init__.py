"""What was sold: stock that is reserved until it leaves, or until it is sold no more."""
