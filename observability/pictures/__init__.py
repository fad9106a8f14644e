"""Pictures of the dashboards, drawn from what a Prometheus has. For maintainers: nothing else needs it."""
