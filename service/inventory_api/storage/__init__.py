"""Where the contents of attachments are kept: an object storage by S3, or a directory of this machine."""
