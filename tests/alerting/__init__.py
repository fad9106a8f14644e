"""`make drill-alerts`: each alert is seen to fire by a real fault, to arrive where it should, and to end.

One service runs for all of it, with two server workers, a queue worker, partners and clients; a real Prometheus
evaluates the rules of observability/rules, and a real Alertmanager routes by observability/alertmanager.yml. An hour of
the rules is a minute here (`divide`); thresholds are as they are. `scene` is what runs, `watching` what is seen of it,
`faults` what is done to it, `cases` which alerts each fault must raise.
"""
