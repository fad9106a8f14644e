"""What tests share: the service in this process, the service as processes, and waiting for conditions."""
