"""Whether this process is on its way out. Set once, by the server worker; read by readiness and by every response."""


class Drain:
    """Draining means: unready, `Connection: close` on every response, still answering."""

    def __init__(self) -> None:
        self.draining = False

    def begin(self) -> None:
        self.draining = True
