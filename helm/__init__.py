"""What is made from the chart by `make chart`, and checked by the tests."""
