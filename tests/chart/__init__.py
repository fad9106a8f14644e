"""What the chart renders, with each Helm that is installed."""
