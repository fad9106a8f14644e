"""How fast the service is, beside a plain FastAPI application that runs the same SQL: `make bench`.

`peers.py` is that application, `targets.py` starts it and the service, `measuring.py` loads them in turn, and
`report.py` sets them against each other.
"""
