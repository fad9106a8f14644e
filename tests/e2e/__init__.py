"""The chart and the service on a real cluster."""
