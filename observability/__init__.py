"""What is made from the catalogue of metrics, for those who run the service. Nothing of it is in the image."""
