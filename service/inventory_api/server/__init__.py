"""gunicorn, the server worker, the management application: everything between the socket and the application."""
